// A userfaultfd.
// refused: userfaultfd
#include "../fidelity.h"

int main(void) {
    if (syscall(SYS_userfaultfd, O_CLOEXEC) == -1) skip("userfaultfd");
    wait_for_clone();
    pass();
}
