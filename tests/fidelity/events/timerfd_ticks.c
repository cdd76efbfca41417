// Ticks that were not read before can be read after.
#include "../fidelity.h"
#include <sys/timerfd.h>

int main(void) {
    int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec timer = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
    must(timerfd_settime(fd, 0, &timer, NULL));
    sleep_ms(30);
    int once = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    timer = (struct itimerspec){.it_value = {0, 1000}};
    must(timerfd_settime(once, 0, &timer, NULL));
    sleep_ms(5);
    wait_for_clone();
    uint64_t ticks = 0;
    same(read(fd, &ticks, 8), 8);
    if (ticks < 30) fail("%ld ticks instead of 30 or more", (long)ticks);
    same(read(once, &ticks, 8), 8);
    same(ticks, 1);
    same(read(once, &ticks, 8), -1);
    pass();
}
