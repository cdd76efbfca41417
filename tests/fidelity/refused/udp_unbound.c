// A UDP socket that nothing was done with.
// refused: UDP
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    must(socket(AF_INET, SOCK_DGRAM, 0));
    wait_for_clone();
    pass();
}
