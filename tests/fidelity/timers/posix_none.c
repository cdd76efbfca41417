// A POSIX timer that tells nobody runs and can be asked.
#include "../fidelity.h"

int main(void) {
    timer_t running, expired;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec times = {.it_value = {100, 0}};
    must(timer_create(CLOCK_MONOTONIC, &event, &running));
    must(timer_create(CLOCK_MONOTONIC, &event, &expired));
    must(timer_settime(running, 0, &times, NULL));
    times.it_value = (struct timespec){0, 1000000};
    must(timer_settime(expired, 0, &times, NULL));
    sleep_ms(5);
    wait_for_clone();
    must(timer_gettime(running, &times));
    check(times.it_value.tv_sec >= 60 && times.it_value.tv_sec < 100);
    must(timer_gettime(expired, &times));
    same(times.it_value.tv_sec + times.it_value.tv_nsec, 0);
    pass();
}
