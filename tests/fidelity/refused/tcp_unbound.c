// A TCP socket that nothing was done with.
// refused: TCP
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    must(socket(AF_INET, SOCK_STREAM, 0));
    wait_for_clone();
    pass();
}
