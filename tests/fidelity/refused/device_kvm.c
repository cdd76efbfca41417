// The device of virtual machines.
// refused: kvm
#include "../fidelity.h"

int main(void) {
    if (open("/dev/kvm", O_RDWR) == -1) skip("/dev/kvm");
    wait_for_clone();
    pass();
}
