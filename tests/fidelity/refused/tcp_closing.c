// A TCP connection that the peer has closed.
// refused: TCP
#include "tcp.h"

int main(void) {
    struct connection made = connect_loopback();
    close(must(accept(made.listener, NULL, NULL)));
    close(made.listener);
    wait_for_clone();
    char byte;
    same(recv(made.client, &byte, 1, 0), 0);
    pass();
}
