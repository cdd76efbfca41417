// The device of network tunnels.
// refused: tun
#include "../fidelity.h"

int main(void) {
    if (open("/dev/net/tun", O_RDWR) == -1) skip("/dev/net/tun");
    wait_for_clone();
    pass();
}
