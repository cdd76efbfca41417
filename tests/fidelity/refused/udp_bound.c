// A UDP socket with a datagram in its queue.
// refused: UDP
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
    must(bind(fd, (struct sockaddr *)&address, length));
    must(getsockname(fd, (struct sockaddr *)&address, &length));
    same(sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, length), 5);
    wait_for_clone();
    char text[10];
    same(recv(fd, text, 10, 0), 5);
    pass();
}
