// Threads that wait for a mutex held by the main thread get it one after another.
#include "../fidelity.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int counter;

static void *adder(void *unused) {
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

int main(void) {
    pthread_t threads[6];
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 6; i++) threads[i] = spawn(adder, NULL);
    settle();
    wait_for_clone();
    same(counter, 0);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 6; i++) join(threads[i]);
    same(counter, 6000);
    pass();
}
