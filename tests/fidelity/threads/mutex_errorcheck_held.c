// A mutex that checks its owner, locked before, is still the thread's own after.
#include "../fidelity.h"

int main(void) {
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    must_zero(pthread_mutex_lock(&mutex));
    wait_for_clone();
    same(pthread_mutex_lock(&mutex), EDEADLK);
    must_zero(pthread_mutex_unlock(&mutex));
    must_zero(pthread_mutex_lock(&mutex));
    pass();
}
