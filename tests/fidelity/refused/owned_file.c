// A file with a process that gets its signals (F_SETOWN).
// refused: F_SETOWN
#include "../fidelity.h"

int main(void) {
    int fds[2];
    must(pipe(fds));
    must(fcntl(fds[0], F_SETOWN, getpid()));
    wait_for_clone();
    pass();
}
