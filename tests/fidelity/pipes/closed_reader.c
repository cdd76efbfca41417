// A pipe whose reading end is closed gives EPIPE.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    signal(SIGPIPE, SIG_IGN);
    must(pipe(fds));
    must(close(fds[0]));
    wait_for_clone();
    same(write(fds[1], "x", 1), -1);
    same(errno, EPIPE);
    pass();
}
