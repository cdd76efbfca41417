// Flags of sockets, and which end is which kind.
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2], kind;
    socklen_t length = sizeof kind;
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds));
    must(fcntl(fds[1], F_SETFL, 0));
    must(fcntl(fds[1], F_SETFD, FD_CLOEXEC));
    wait_for_clone();
    check(fcntl(fds[0], F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(fds[1], F_GETFL) == O_RDWR);
    check(fcntl(fds[0], F_GETFD) == 0 && fcntl(fds[1], F_GETFD) == FD_CLOEXEC);
    must(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &kind, &length));
    same(kind, SOCK_SEQPACKET);
    must(getsockopt(fds[0], SOL_SOCKET, SO_ACCEPTCONN, &kind, &length));
    same(kind, 0);
    char byte;
    same(recv(fds[0], &byte, 1, 0), -1);
    same(errno, EAGAIN);
    pass();
}
