// A connected UDP socket, as resolvers keep one.
// refused: UDP
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
    must(connect(must(socket(AF_INET, SOCK_DGRAM, 0)), (struct sockaddr *)&address, sizeof address));
    wait_for_clone();
    pass();
}
