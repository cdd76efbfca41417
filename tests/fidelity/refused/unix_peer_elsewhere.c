// One end of a pair of Unix sockets; another process has the other.
// refused: Unix socket
#include "stranger.h"
#include <sys/socket.h>

static int fds[2];

static void keep_one(void) { close(fds[0]); }

int main(void) {
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    make_stranger(keep_one);
    close(fds[1]);
    wait_for_clone();
    same(send(fds[0], "x", 1, 0), 1);
    pass();
}
