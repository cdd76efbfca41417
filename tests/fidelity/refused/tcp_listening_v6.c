// A TCP socket that listens on IPv6.
// refused: TCP
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof address)) skip("IPv6");
    must(listen(fd, 5));
    wait_for_clone();
    pass();
}
