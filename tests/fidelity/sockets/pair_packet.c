// A pair of sequenced packet sockets keeps messages apart.
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    char text[20] = "";
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
    same(send(fds[0], "one", 3, 0), 3);
    same(send(fds[0], "three", 5, 0), 5);
    wait_for_clone();
    same(recv(fds[1], text, 20, 0), 3);
    same(recv(fds[1], text, 20, 0), 5);
    check(strcmp(text, "three") == 0);
    close(fds[0]);
    same(recv(fds[1], text, 20, 0), 0);
    pass();
}
