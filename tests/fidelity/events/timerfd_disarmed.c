// A timerfd that is not armed stays so, and can be armed.
#include "../fidelity.h"
#include <sys/timerfd.h>

int main(void) {
    int never = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), was = must(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
    struct itimerspec timer = {.it_value = {100, 0}}, off = {0};
    must(timerfd_settime(was, 0, &timer, NULL));
    must(timerfd_settime(was, 0, &off, NULL));
    wait_for_clone();
    must(timerfd_gettime(never, &timer));
    same(timer.it_value.tv_sec + timer.it_value.tv_nsec, 0);
    must(timerfd_gettime(was, &timer));
    same(timer.it_value.tv_sec + timer.it_value.tv_nsec, 0);
    check(!readable(never, 0) && !readable(was, 50));
    timer.it_value.tv_nsec = 1000;
    must(timerfd_settime(never, 0, &timer, NULL));
    check(readable(never, 1000));
    pass();
}
