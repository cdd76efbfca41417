// The adjustment for the kernel's choice when memory runs out.
#include "../fidelity.h"

int main(void) {
    int fd = must(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    same(write(fd, "321", 3), 3);
    close(fd);
    wait_for_clone();
    same(atoi(contents_of("/proc/self/oom_score_adj", NULL)), 321);
    pass();
}
