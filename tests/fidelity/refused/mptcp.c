// A multipath TCP socket.
// refused: MPTCP
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    if (socket(AF_INET, SOCK_STREAM, 262) == -1) skip("MPTCP");
    wait_for_clone();
    pass();
}
