// The file mode creation mask is the same.
#include "../fidelity.h"

int main(void) {
    umask(0137);
    wait_for_clone();
    sabotage(umask(0));
    same(umask(0), 0137);
    umask(027);
    int fd = must(open(own("new"), O_CREAT | O_WRONLY, 0777));
    struct stat status;
    must(fstat(fd, &status));
    same(status.st_mode & 0777, 0750);
    pass();
}
