// A thread that is frozen inside the vDSO, or next to it, goes on.
#include "../fidelity.h"

static volatile int stop;

static void *ask(void *unused) {
    long long last = 0;
    while (!stop) {
        long long now = now_ns(CLOCK_MONOTONIC);
        check(now >= last);
        last = now;
    }
    return unused;
}

int main(void) {
    pthread_t threads[2] = {spawn(ask, NULL), spawn(ask, NULL)};
    settle();
    wait_for_clone();
    settle();
    stop = 1;
    join(threads[0]), join(threads[1]);
    pass();
}
