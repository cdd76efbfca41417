// A socket to the hypervisor.
// refused: vsock
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    if (socket(AF_VSOCK, SOCK_STREAM, 0) == -1) skip("vsock");
    wait_for_clone();
    pass();
}
