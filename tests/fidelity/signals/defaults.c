// Signals without handler do what they do by default: end the process, or nothing.
#include "../fidelity.h"

int main(void) {
    wait_for_clone();
    check(dies_of(SIGTERM, kill(getpid(), SIGTERM)));
    check(dies_of(SIGPIPE, raise(SIGPIPE)));
    check(dies_of(SIGRTMIN, raise(SIGRTMIN)));
    check(dies_of(SIGABRT, abort()));
    check(dies_of(SIGILL, __builtin_trap()));
    check(dies_of(SIGSYS, raise(SIGSYS)));
    must(raise(SIGCHLD)), must(raise(SIGURG)), must(raise(SIGWINCH));
    pass();
}
