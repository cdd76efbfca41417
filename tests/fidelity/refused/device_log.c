// The kernel's log.
// refused: kmsg
#include "../fidelity.h"

int main(void) {
    if (open("/dev/kmsg", O_RDONLY) == -1) skip("/dev/kmsg");
    wait_for_clone();
    pass();
}
