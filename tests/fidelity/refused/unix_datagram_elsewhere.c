// A datagram socket connected to one of another process.
// refused: Unix socket
#include "stranger.h"
#include <sys/socket.h>
#include <sys/un.h>

static int theirs, mine;

static void keep_theirs(void) { close(mine); }

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    theirs = must(socket(AF_UNIX, SOCK_DGRAM, 0));
    mine = must(socket(AF_UNIX, SOCK_DGRAM, 0));
    must(bind(theirs, (struct sockaddr *)&address, sizeof address.sun_family));
    must(getsockname(theirs, (struct sockaddr *)&address, &length));
    must(connect(mine, (struct sockaddr *)&address, length));
    make_stranger(keep_theirs);
    close(theirs);
    wait_for_clone();
    same(send(mine, "x", 1, 0), 1);
    pass();
}
