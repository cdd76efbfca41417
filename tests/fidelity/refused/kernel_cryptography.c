// A socket to the kernel's cryptography.
// refused: AF_ALG | alg | cryptography
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    if (socket(AF_ALG, SOCK_SEQPACKET, 0) == -1) skip("AF_ALG sockets");
    wait_for_clone();
    pass();
}
