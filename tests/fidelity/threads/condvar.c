// Threads that wait on a condition variable get the signals and the broadcast that come after the clone.
#include "../fidelity.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int tokens, taken;

static void *taker(void *unused) {
    pthread_mutex_lock(&mutex);
    while (!tokens) pthread_cond_wait(&changed, &mutex);
    tokens--, taken++;
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) threads[i] = spawn(taker, NULL);
    settle();
    wait_for_clone();
    sabotage(taken = -1);
    same(taken, 0);
    for (int i = 0; i < 4; i++) {
        pthread_mutex_lock(&mutex);
        tokens++;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&mutex);
    }
    pthread_mutex_lock(&mutex);
    tokens += 4;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 8; i++) join(threads[i]);
    same(taken, 8);
    pass();
}
