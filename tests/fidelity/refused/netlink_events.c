// A netlink socket for the kernel's events.
// refused: netlink
#include "../fidelity.h"
#include <linux/netlink.h>
#include <sys/socket.h>

int main(void) {
    must(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT));
    wait_for_clone();
    pass();
}
