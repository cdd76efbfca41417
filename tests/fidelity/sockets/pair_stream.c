// A pair of stream sockets with bytes under way in both directions.
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    char text[20] = "";
    unsigned char content[50000], now[50000];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    fill(content, sizeof content, 1);
    same(send(fds[0], content, sizeof content, 0), sizeof content);
    same(send(fds[1], "back", 4, 0), 4);
    wait_for_clone();
    sabotage(recv(fds[0], text, 1, 0));
    same(recv(fds[1], now, sizeof now, MSG_WAITALL), sizeof now);
    check(filled(now, sizeof now, 1));
    same(recv(fds[0], text, 20, 0), 4);
    check(strcmp(text, "back") == 0);
    same(send(fds[0], "more", 4, 0), 4);
    same(recv(fds[1], text, 20, 0), 4);
    pass();
}
