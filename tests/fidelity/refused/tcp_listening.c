// A TCP socket that listens, and answers after the refusal.
// refused: TCP
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = must(socket(AF_INET, SOCK_STREAM, 0));
    must(bind(fd, (struct sockaddr *)&address, length));
    must(listen(fd, 5));
    must(getsockname(fd, (struct sockaddr *)&address, &length));
    wait_for_clone();
    must(connect(must(socket(AF_INET, SOCK_STREAM, 0)), (struct sockaddr *)&address, length));
    must(accept(fd, NULL, NULL));
    pass();
}
