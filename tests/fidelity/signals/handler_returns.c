// Three nested handlers, frozen in the innermost, return to where they interrupted, with the right masks.
#include "../fidelity.h"

static volatile int depth;

static void handler(int signal) {
    sigset_t mask;
    depth++;
    if (signal < SIGRTMIN + 2) must(raise(signal + 1));
    else wait_for_clone();
    must(sigprocmask(SIG_SETMASK, NULL, &mask));
    for (int number = SIGRTMIN; number < SIGRTMIN + 3; number++) same(sigismember(&mask, number), number <= signal);
    depth--;
}

int main(void) {
    for (int number = SIGRTMIN; number < SIGRTMIN + 3; number++) signal(number, handler);
    volatile double kept = 1.5;
    must(raise(SIGRTMIN));
    same(depth, 0);
    check(kept * 2 == 3);
    sigset_t mask;
    must(sigprocmask(SIG_SETMASK, NULL, &mask));
    same(sigismember(&mask, SIGRTMIN), 0);
    pass();
}
