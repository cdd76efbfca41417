// A packet socket.
// refused: packet
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    if (socket(AF_PACKET, SOCK_RAW, 0) == -1) skip("packet sockets");
    wait_for_clone();
    pass();
}
