// A socket whose peer is closed gives what was sent, then the end.
// refused: peer is closed
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    char text[10] = "";
    signal(SIGPIPE, SIG_IGN);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    same(send(fds[0], "last", 4, 0), 4);
    close(fds[0]);
    wait_for_clone();
    same(recv(fds[1], text, 10, 0), 4);
    check(strcmp(text, "last") == 0);
    same(recv(fds[1], text, 10, MSG_DONTWAIT), 0);
    same(send(fds[1], "x", 1, 0), -1);
    same(errno, EPIPE);
    pass();
}
