// A TCP connection that nobody has accepted.
// refused: TCP
#include "tcp.h"

int main(void) {
    struct connection made = connect_loopback();
    wait_for_clone();
    must(accept(made.listener, NULL, NULL));
    pass();
}
