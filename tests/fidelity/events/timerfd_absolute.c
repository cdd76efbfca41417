// A timerfd armed for a point in time fires at it, not before.
#include "../fidelity.h"
#include <sys/timerfd.h>

int main(void) {
    int soon = must(timerfd_create(CLOCK_REALTIME, 0)), late = must(timerfd_create(CLOCK_MONOTONIC, 0));
    long long at = now_ns(CLOCK_REALTIME) + SECOND_NS / 2, far = now_ns(CLOCK_MONOTONIC) + 100 * SECOND_NS;
    struct itimerspec timer = {.it_value = {at / SECOND_NS, at % SECOND_NS}};
    must(timerfd_settime(soon, TFD_TIMER_ABSTIME, &timer, NULL));
    timer.it_value = (struct timespec){far / SECOND_NS, far % SECOND_NS};
    must(timerfd_settime(late, TFD_TIMER_ABSTIME, &timer, NULL));
    wait_for_clone();
    check(readable(soon, 5000));
    check(now_ns(CLOCK_REALTIME) >= at);
    check(!readable(late, 0));
    must(timerfd_gettime(late, &timer));
    check(timer.it_value.tv_sec >= 60 && timer.it_value.tv_sec < 100);
    pass();
}
