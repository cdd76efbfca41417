// A TCP connection; it works on after the refusal, with what was under way.
// refused: TCP
#include "tcp.h"

int main(void) {
    struct connection made = connect_loopback();
    int server = must(accept(made.listener, NULL, NULL));
    char text[10] = "";
    close(made.listener);
    same(send(server, "under way", 9, 0), 9);
    wait_for_clone();
    same(recv(made.client, text, 9, MSG_WAITALL), 9);
    check(strcmp(text, "under way") == 0);
    pass();
}
