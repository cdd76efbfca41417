// A mutex with priority inheritance works between threads after the clone.
#include "../fidelity.h"

static pthread_mutex_t mutex;
static int counter;

static void *adder(void *unused) {
    for (int i = 0; i < 200; i++) {
        must_zero(pthread_mutex_lock(&mutex));
        counter++;
        must_zero(pthread_mutex_unlock(&mutex));
    }
    return unused;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    must_zero(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    must_zero(pthread_mutex_init(&mutex, &attributes));
    adder(NULL);
    wait_for_clone();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = spawn(adder, NULL);
    for (int i = 0; i < 4; i++) join(threads[i]);
    same(counter, 1000);
    pass();
}
