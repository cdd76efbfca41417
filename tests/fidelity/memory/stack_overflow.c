// A stack that overflows its limit still raises SIGSEGV.
#include "../fidelity.h"

static int endless(int level) {
    volatile char frame[4096];
    frame[0] = (char)level;
    return level < 0 ? 0 : endless(level + 1) + frame[0];
}

int main(void) {
    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    must(setrlimit(RLIMIT_STACK, &limit));
    wait_for_clone();
    check(dies_of(SIGSEGV, endless(0)));
    pass();
}
