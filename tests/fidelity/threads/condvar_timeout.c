// A timed wait on a condition variable ends with ETIMEDOUT, at its time and not before.
#include "../fidelity.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never;

static void *waiter(void *deadline_ns) {
    long long until = *(long long *)deadline_ns;
    struct timespec at = {until / SECOND_NS, until % SECOND_NS};
    pthread_mutex_lock(&mutex);
    int error;
    while ((error = pthread_cond_timedwait(&never, &mutex, &at)) == 0) {}
    same(error, ETIMEDOUT);
    check(now_ns(CLOCK_MONOTONIC) >= until);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

int main(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&never, &attributes);
    long long until = now_ns(CLOCK_MONOTONIC) + SECOND_NS / 2;
    pthread_t thread = spawn(waiter, &until);
    settle();
    wait_for_clone();
    join(thread);
    pass();
}
