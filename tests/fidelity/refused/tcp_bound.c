// A TCP socket that is bound, not listening.
// refused: TCP
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(must(socket(AF_INET, SOCK_STREAM, 0)), (struct sockaddr *)&address, sizeof address));
    wait_for_clone();
    pass();
}
