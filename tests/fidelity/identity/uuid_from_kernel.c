// Each clone draws another UUID from the kernel.
#include "../fidelity.h"

int main(void) {
    char *before = contents_of("/proc/sys/kernel/random/uuid", NULL);
    wait_for_clone();
    char *after = contents_of("/proc/sys/kernel/random/uuid", NULL);
    check(strcmp(before, after));
    after[strcspn(after, "\n")] = 0;
    must(open(scratch(after), O_CREAT | O_EXCL | O_WRONLY, 0644));
    pass();
}
