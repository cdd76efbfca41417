// A timerfd armed for half a second fires once, on every clock that can be had.
#include "../fidelity.h"
#include <sys/timerfd.h>

int main(void) {
    static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
    int fds[3];
    struct itimerspec timer = {.it_value = {0, 500000000}};
    for (int i = 0; i < 3; i++) {
        fds[i] = must(timerfd_create(clocks[i], 0));
        must(timerfd_settime(fds[i], 0, &timer, NULL));
    }
    wait_for_clone();
    for (int i = 0; i < 3; i++) {
        uint64_t ticks;
        check(readable(fds[i], 5000));
        same(read(fds[i], &ticks, 8), 8);
        same(ticks, 1);
        must(timerfd_gettime(fds[i], &timer));
        same(timer.it_value.tv_sec + timer.it_value.tv_nsec, 0);
    }
    pass();
}
