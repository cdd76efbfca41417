// A Unix socket that is neither bound nor connected can be either after.
#include "../fidelity.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    int stream = must(socket(AF_UNIX, SOCK_STREAM, 0)), datagram = must(socket(AF_UNIX, SOCK_DGRAM, 0));
    wait_for_clone();
    char byte;
    same(recv(stream, &byte, 1, 0), -1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    must(bind(stream, (struct sockaddr *)&address, sizeof address.sun_family)); // the kernel chooses a name
    must(listen(stream, 5));
    socklen_t length = sizeof address;
    must(getsockname(stream, (struct sockaddr *)&address, &length));
    must(connect(must(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&address, length));
    must(accept(stream, NULL, NULL));
    must(bind(datagram, (struct sockaddr *)&address, sizeof address.sun_family));
    pass();
}
