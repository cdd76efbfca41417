// A file system that is being set up (fsopen).
// refused: fsopen
#include "../fidelity.h"

int main(void) {
    if (syscall(SYS_fsopen, "tmpfs", 0) == -1) skip("fsopen");
    wait_for_clone();
    pass();
}
