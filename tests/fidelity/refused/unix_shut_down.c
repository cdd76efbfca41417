// A pair whose one direction was shut down: the end comes behind what was sent.
// refused: shut down
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    char text[10] = "";
    signal(SIGPIPE, SIG_IGN);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    same(send(fds[0], "last", 4, 0), 4);
    must(shutdown(fds[0], SHUT_WR));
    wait_for_clone();
    same(recv(fds[1], text, 10, 0), 4);
    same(recv(fds[1], text, 10, MSG_DONTWAIT), 0);
    same(send(fds[0], "x", 1, 0), -1);
    same(errno, EPIPE);
    same(send(fds[1], "back", 4, 0), 4);
    same(recv(fds[0], text, 10, 0), 4);
    pass();
}
