// The priority of input and output is kept.
#include "../fidelity.h"

int main(void) {
    int wanted = 2 << 13 | 6; // best effort, 6
    if (syscall(SYS_ioprio_set, 1, 0, wanted)) skip("ioprio_set");
    wait_for_clone();
    same(syscall(SYS_ioprio_get, 1, 0), wanted);
    pass();
}
