// A static program: clocks, a timer, a handler.
#include "../fidelity.h"

static volatile int fired;

static void note(int signal) { fired = signal; }

int main(void) {
    signal(SIGALRM, note);
    long long before = now_ns(CLOCK_MONOTONIC);
    alarm(1);
    wait_for_clone();
    check(now_ns(CLOCK_MONOTONIC) >= before);
    check(eventually(fired == SIGALRM));
    pass();
}
