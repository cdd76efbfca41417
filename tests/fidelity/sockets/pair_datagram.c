// A pair of datagram sockets keeps messages apart, empty ones too.
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    char text[20] = "";
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    same(send(fds[0], "one", 3, 0), 3);
    same(send(fds[0], "", 0, 0), 0);
    same(send(fds[0], "three", 5, 0), 5);
    wait_for_clone();
    same(recv(fds[1], text, 20, 0), 3);
    same(recv(fds[1], text, 20, 0), 0);
    same(recv(fds[1], text, 20, 0), 5);
    check(strcmp(text, "three") == 0);
    same(recv(fds[1], text, 20, MSG_DONTWAIT), -1);
    same(send(fds[1], "back", 4, 0), 4);
    same(recv(fds[0], text, 20, 0), 4);
    pass();
}
