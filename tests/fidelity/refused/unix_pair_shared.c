// A pair of Unix sockets that another process has open as well.
// refused: also open | Unix socket
#include "stranger.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    make_stranger(NULL);
    wait_for_clone();
    same(send(fds[0], "x", 1, 0), 1);
    pass();
}
