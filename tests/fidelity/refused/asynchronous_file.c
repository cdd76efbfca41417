// A file that sends a signal when it is ready (O_ASYNC).
// refused: O_ASYNC
#include "../fidelity.h"

int main(void) {
    int fds[2];
    must(pipe(fds));
    must(fcntl(fds[0], F_SETFL, O_ASYNC));
    wait_for_clone();
    pass();
}
