// A process in the strict mode of seccomp.
// refused: seccomp
#include "../fidelity.h"
#include <linux/seccomp.h>
#include <sys/prctl.h>

int main(void) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) skip("seccomp");
    wait_for_clone();
    if (write(1, "pass\n", 5) == 5) syscall(SYS_exit, 0); // exit_group would be the end
    syscall(SYS_exit, 1);
}
