// Mutexes that check their owner work after the clone, in threads from before and in new ones.
#include "../fidelity.h"

static int go[2];

static void lock_and_unlock(pthread_mutex_t *mutex, bool recursive) {
    must_zero(pthread_mutex_lock(mutex));
    same(mutex->__data.__owner, gettid());
    same(pthread_mutex_lock(mutex), recursive ? 0 : EDEADLK);
    if (recursive) must_zero(pthread_mutex_unlock(mutex));
    must_zero(pthread_mutex_unlock(mutex));
    same(pthread_mutex_unlock(mutex), EPERM);
}

static void *user(void *waits) {
    pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    char byte;
    while (waits && read(go[0], &byte, 1) != 1) {}
    lock_and_unlock(&checking, false);
    lock_and_unlock(&recursive, true);
    return NULL;
}

int main(void) {
    must(pipe(go));
    pthread_t before = spawn(user, go);
    settle();
    wait_for_clone();
    user(NULL);
    must(write(go[1], "x", 1));
    join(before);
    join(spawn(user, NULL));
    pass();
}
