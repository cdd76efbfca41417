// A raw IPv6 socket.
// refused: raw
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    if (socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) == -1) skip("raw sockets of IPv6");
    wait_for_clone();
    pass();
}
