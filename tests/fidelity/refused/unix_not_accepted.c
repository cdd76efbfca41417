// A Unix connection that nobody has accepted yet.
// refused: accept
#include "../fidelity.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    int listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(bind(listener, (struct sockaddr *)&address, sizeof address.sun_family));
    must(listen(listener, 5));
    must(getsockname(listener, (struct sockaddr *)&address, &length));
    must(connect(must(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&address, length));
    wait_for_clone();
    must(accept(listener, NULL, NULL));
    pass();
}
