// Options of sockets: lengths of buffers, timeouts, credentials wanted.
#include "../fidelity.h"
#include <sys/socket.h>

static int option(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    must(getsockopt(fd, SOL_SOCKET, name, &value, &length));
    return value;
}

int main(void) {
    int fds[2], bytes = 20000, yes = 1;
    struct timeval timeout = {0, 100000}, now;
    socklen_t length = sizeof now;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    must(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
    must(setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes));
    must(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    wait_for_clone();
    same(option(fds[0], SO_SNDBUF), 40000);
    same(option(fds[0], SO_PASSCRED), 1);
    same(option(fds[1], SO_PASSCRED), 0);
    must(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &now, &length));
    same(now.tv_usec, 100000);
    same(recv(fds[0], &bytes, 1, 0), -1);
    same(errno, EAGAIN);
    pass();
}
