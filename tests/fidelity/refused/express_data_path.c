// An express data path socket.
// refused: XDP
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    if (socket(AF_XDP, SOCK_RAW, 0) == -1) skip("XDP sockets");
    wait_for_clone();
    pass();
}
