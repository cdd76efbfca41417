// A robust mutex whose owner ends after the clone is handed over with EOWNERDEAD.
#include "../fidelity.h"

static pthread_mutex_t mutex;

static void *holder(void *unused) {
    pthread_mutex_lock(&mutex);
    return unused;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attributes);
    wait_for_clone();
    join(spawn(holder, NULL));
    same(pthread_mutex_lock(&mutex), EOWNERDEAD);
    must_zero(pthread_mutex_consistent(&mutex));
    must_zero(pthread_mutex_unlock(&mutex));
    must_zero(pthread_mutex_lock(&mutex));
    pass();
}
