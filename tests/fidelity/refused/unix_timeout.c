// A Unix socket with a time limit for receiving.
// refused: SO_RCVTIMEO
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    char byte;
    struct timeval timeout = {0, 1000};
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    must(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    wait_for_clone();
    same(recv(fds[0], &byte, 1, 0), -1);
    pass();
}
