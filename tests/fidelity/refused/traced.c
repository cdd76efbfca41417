// A process that another one traces.
// refused: traced
#include "stranger.h"

static pid_t program;

static void trace(void) {
    if (ptrace(PTRACE_SEIZE, program, 0, 0)) _exit(1);
}

int main(void) {
    program = getpid();
    make_stranger(trace);
    wait_for_clone();
    pass();
}
