// A thread that handles its system calls itself (PR_SET_SYSCALL_USER_DISPATCH).
// refused: PR_SET_SYSCALL_USER_DISPATCH
#include "../fidelity.h"
#include <sys/prctl.h>

static char selector;

int main(void) {
    if (prctl(59, 1, 0, 0, &selector)) skip("PR_SET_SYSCALL_USER_DISPATCH");
    wait_for_clone();
    pass();
}
