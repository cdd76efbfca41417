// Threads that wait at a barrier pass it when the last one comes.
#include "../fidelity.h"

static pthread_barrier_t barrier;

static void *comer(void *unused) {
    (void)unused;
    return (void *)(long)pthread_barrier_wait(&barrier);
}

int main(void) {
    pthread_t threads[7];
    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 7; i++) threads[i] = spawn(comer, NULL);
    settle();
    wait_for_clone();
    long serial = pthread_barrier_wait(&barrier);
    for (int i = 0; i < 7; i++) serial += (long)join(threads[i]);
    same(serial, PTHREAD_BARRIER_SERIAL_THREAD);
    pass();
}
