// A periodic POSIX timer goes on at its interval.
#include "../fidelity.h"

static volatile int ticks;

static void note(int signal) { (void)signal, ticks++; }

int main(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec times = {.it_value = {0, 20000000}, .it_interval = {0, 20000000}};
    signal(SIGUSR1, note);
    must(timer_create(CLOCK_MONOTONIC, &event, &timer));
    must(timer_settime(timer, 0, &times, NULL));
    wait_for_clone();
    long long began = now_ns(CLOCK_MONOTONIC);
    int first = ticks;
    check(eventually(ticks >= first + 10));
    check(now_ns(CLOCK_MONOTONIC) - began > 8 * 20000000LL);
    must(timer_delete(timer));
    pass();
}
