// Timers of used processor time, with and without the kernel's, go on with what was left.
#include "../fidelity.h"
#include <sys/time.h>

static volatile int virtual, profile;

static void note(int signal) { signal == SIGVTALRM ? virtual++ : profile++; }

int main(void) {
    struct itimerval far = {.it_value = {100, 0}}, near = {.it_value = {0, 50000}}, left;
    signal(SIGVTALRM, note), signal(SIGPROF, note);
    must(setitimer(ITIMER_PROF, &far, NULL));
    must(setitimer(ITIMER_VIRTUAL, &near, NULL));
    wait_for_clone();
    must(getitimer(ITIMER_PROF, &left));
    check(left.it_value.tv_sec >= 60 && left.it_value.tv_sec <= 100);
    for (long long until = now_ns(CLOCK_MONOTONIC) + 8 * SECOND_NS; !virtual && now_ns(CLOCK_MONOTONIC) < until;) {
        for (volatile int i = 0; i < 100000; i++) {}
    }
    same(virtual, 1);
    same(profile, 0);
    pass();
}
