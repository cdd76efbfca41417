// A periodic timerfd keeps ticking, at its interval.
#include "../fidelity.h"
#include <sys/timerfd.h>

int main(void) {
    int fd = must(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec timer = {.it_value = {0, 20000000}, .it_interval = {0, 20000000}};
    must(timerfd_settime(fd, 0, &timer, NULL));
    wait_for_clone();
    uint64_t ticks, sum = 0;
    check(readable(fd, 5000));
    same(read(fd, &ticks, 8), 8); // whatever came before
    long long began = now_ns(CLOCK_MONOTONIC);
    while (sum < 10) {
        same(read(fd, &ticks, 8), 8);
        sum += ticks;
    }
    check(now_ns(CLOCK_MONOTONIC) - began > 9 * 20000000LL);
    pass();
}
