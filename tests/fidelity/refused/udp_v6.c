// A UDP socket of IPv6.
// refused: UDP
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    if (socket(AF_INET6, SOCK_DGRAM, 0) == -1) skip("IPv6");
    wait_for_clone();
    pass();
}
