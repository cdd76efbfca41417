// A timerfd armed for a long time does not fire, and its remaining time is roughly kept.
#include "../fidelity.h"
#include <sys/timerfd.h>

int main(void) {
    int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    struct itimerspec timer = {.it_value = {100, 0}, .it_interval = {7, 5}};
    must(timerfd_settime(fd, 0, &timer, NULL));
    wait_for_clone();
    sabotage((timer.it_value.tv_sec = 5, timerfd_settime(fd, 0, &timer, NULL)));
    must(timerfd_gettime(fd, &timer));
    check(timer.it_value.tv_sec >= 60 && timer.it_value.tv_sec < 100);
    check(timer.it_interval.tv_sec == 7 && timer.it_interval.tv_nsec == 5);
    uint64_t ticks;
    same(read(fd, &ticks, 8), -1);
    same(errno, EAGAIN);
    pass();
}
