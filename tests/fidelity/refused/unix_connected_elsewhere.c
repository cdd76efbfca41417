// A connection to another process that listens.
// refused: Unix socket
#include "stranger.h"
#include <sys/socket.h>
#include <sys/un.h>

static int listener;

static void serve(void) {
    if (accept(listener, NULL, NULL) == -1) _exit(1);
}

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(bind(listener, (struct sockaddr *)&address, sizeof address.sun_family)); // the kernel chooses a name
    must(listen(listener, 5));
    must(getsockname(listener, (struct sockaddr *)&address, &length));
    int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(connect(fd, (struct sockaddr *)&address, length));
    must(fcntl(fd, F_SETFD, FD_CLOEXEC));
    make_stranger(serve);
    close(listener);
    wait_for_clone();
    pass();
}
