// A sleep that the freeze interrupts lasts as long as was asked in all, with what was left of it.
#include "../fidelity.h"

static long long began;

static void *sleeper(void *unused) {
    struct timespec left = {0, 700000000};
    began = now_ns(CLOCK_MONOTONIC);
    while (nanosleep(&left, &left) == -1) {
        same(errno, EINTR);
        check(left.tv_sec == 0 && left.tv_nsec <= 700000000);
    }
    check(now_ns(CLOCK_MONOTONIC) - began >= 700000000);
    return unused;
}

int main(void) {
    pthread_t thread = spawn(sleeper, NULL);
    settle();
    wait_for_clone();
    long long resumed = now_ns(CLOCK_MONOTONIC);
    join(thread);
    check(now_ns(CLOCK_MONOTONIC) - resumed < 5 * SECOND_NS);
    pass();
}
