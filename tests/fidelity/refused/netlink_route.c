// A netlink socket for routes.
// refused: netlink
#include "../fidelity.h"
#include <linux/netlink.h>
#include <sys/socket.h>

int main(void) {
    int fd = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    must(bind(fd, (struct sockaddr *)&address, sizeof address));
    wait_for_clone();
    pass();
}
