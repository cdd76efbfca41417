// A Unix socket that wants its senders' credentials.
// refused: SO_PASSCRED
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2], yes = 1;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    must(setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes));
    wait_for_clone();
    pass();
}
