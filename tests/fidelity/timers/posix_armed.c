// A POSIX timer armed for a long time does not fire, and its remaining time is roughly kept.
#include "../fidelity.h"

int main(void) {
    timer_t timer;
    struct itimerspec times = {.it_value = {100, 0}, .it_interval = {3, 4}};
    signal(SIGALRM, SIG_DFL); // would end the process
    must(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    must(timer_settime(timer, 0, &times, NULL));
    wait_for_clone();
    sabotage((times.it_value.tv_sec = 0, timer_settime(timer, 0, &times, NULL)));
    must(timer_gettime(timer, &times));
    check(times.it_value.tv_sec >= 60 && times.it_value.tv_sec < 100);
    check(times.it_interval.tv_sec == 3 && times.it_interval.tv_nsec == 4);
    pass();
}
