// A virtual machine with a processor.
// refused: kvm
#include "../fidelity.h"
#include <linux/kvm.h>
#include <sys/ioctl.h>

int main(void) {
    int device = open("/dev/kvm", O_RDWR | O_CLOEXEC), machine = -1;
    if (device != -1) machine = ioctl(device, KVM_CREATE_VM, 0);
    if (machine == -1) skip("virtual machines");
    if (ioctl(machine, KVM_CREATE_VCPU, 0) == -1) skip("virtual processors");
    close(device);
    wait_for_clone();
    pass();
}
