// POSIX timers keep their ids, also those behind a deleted one; a new one gets none that is taken.
#include "../fidelity.h"

int main(void) {
    timer_t timers[5], next;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    for (int i = 0; i < 5; i++) must(timer_create(CLOCK_MONOTONIC, &event, &timers[i]));
    must(timer_delete(timers[0])), must(timer_delete(timers[2]));
    for (int i = 1; i < 5; i++) {
        struct itimerspec times = {.it_value = {1000 * i, 0}};
        if (i != 2) must(timer_settime(timers[i], 0, &times, NULL));
    }
    wait_for_clone();
    sabotage(timer_delete(timers[3]));
    for (int i = 1; i < 5; i++) {
        struct itimerspec times;
        if (i == 2) continue;
        must(timer_gettime(timers[i], &times));
        check(times.it_value.tv_sec > 1000 * i - 60 && times.it_value.tv_sec <= 1000 * i);
    }
    struct itimerspec times;
    same(timer_gettime(timers[2], &times), -1);
    must(timer_create(CLOCK_MONOTONIC, &event, &next));
    check(next != timers[1] && next != timers[3] && next != timers[4]);
    pass();
}
