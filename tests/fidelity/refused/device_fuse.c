// The device of file systems in user space.
// refused: fuse
#include "../fidelity.h"

int main(void) {
    if (open("/dev/fuse", O_RDWR) == -1) skip("/dev/fuse");
    wait_for_clone();
    pass();
}
