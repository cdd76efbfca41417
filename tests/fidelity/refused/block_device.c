// A block device.
// refused: block device
#include "../fidelity.h"

int main(void) {
    if (open("/dev/loop0", O_RDONLY) == -1) skip("/dev/loop0");
    wait_for_clone();
    pass();
}
