// A pidfd of the process itself: a clone is another process.
// refused: pidfd
#include "../fidelity.h"

int main(void) {
    if (syscall(SYS_pidfd_open, getpid(), 0) == -1) skip("pidfd_open");
    wait_for_clone();
    pass();
}
