// The lengths of a socket's buffers, set by the program.
#include "../fidelity.h"
#include <sys/socket.h>

static int option(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    must(getsockopt(fd, SOL_SOCKET, name, &value, &length));
    return value;
}

int main(void) {
    int fds[2], bytes = 20000;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    must(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
    must(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes));
    wait_for_clone();
    same(option(fds[0], SO_SNDBUF), 40000);
    same(option(fds[1], SO_RCVBUF), 40000);
    pass();
}
