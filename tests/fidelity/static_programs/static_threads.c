// A static program with threads: thread-local variables, a condition variable, join.
#include "../fidelity.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static __thread long mine = 5;
static bool go;

static void *waiter(void *index) {
    mine += (long)index;
    pthread_mutex_lock(&mutex);
    while (!go) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return (void *)mine;
}

int main(void) {
    pthread_t threads[5];
    for (long i = 0; i < 5; i++) threads[i] = spawn(waiter, (void *)i);
    settle();
    wait_for_clone();
    pthread_mutex_lock(&mutex);
    go = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    for (long i = 0; i < 5; i++) same((long)join(threads[i]), 5 + i);
    same((long)join(spawn(waiter, (void *)9)), 14);
    pass();
}
