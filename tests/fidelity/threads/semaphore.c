// Threads that wait on a semaphore, and its count.
#include "../fidelity.h"
#include <semaphore.h>

static sem_t empty, counted;

static void *waiter(void *unused) {
    while (sem_wait(&empty) == -1) same(errno, EINTR);
    return unused;
}

int main(void) {
    pthread_t threads[4];
    int value;
    sem_init(&empty, 0, 0);
    sem_init(&counted, 0, 3);
    for (int i = 0; i < 4; i++) threads[i] = spawn(waiter, NULL);
    settle();
    wait_for_clone();
    sabotage(sem_post(&counted));
    sem_getvalue(&counted, &value);
    same(value, 3);
    for (int i = 0; i < 4; i++) sem_post(&empty);
    for (int i = 0; i < 4; i++) join(threads[i]);
    sem_getvalue(&empty, &value);
    same(value, 0);
    pass();
}
