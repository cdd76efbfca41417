// A sleep until a point in time ends at it.
#include "../fidelity.h"

static void *sleeper(void *clock) {
    clockid_t id = (clockid_t)(long)clock;
    long long until = now_ns(id) + 600000000;
    struct timespec at = {until / SECOND_NS, until % SECOND_NS};
    int error;
    while ((error = clock_nanosleep(id, TIMER_ABSTIME, &at, NULL))) same(error, EINTR);
    check(now_ns(id) >= until);
    return NULL;
}

int main(void) {
    pthread_t threads[2] = {spawn(sleeper, (void *)CLOCK_MONOTONIC), spawn(sleeper, (void *)CLOCK_REALTIME)};
    settle();
    wait_for_clone();
    join(threads[0]), join(threads[1]);
    pass();
}
