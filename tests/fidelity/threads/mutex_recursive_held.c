// A recursive mutex, locked twice before, can be locked and unlocked by its owner after.
#include "../fidelity.h"

int main(void) {
    pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    must_zero(pthread_mutex_lock(&mutex));
    must_zero(pthread_mutex_lock(&mutex));
    wait_for_clone();
    must_zero(pthread_mutex_trylock(&mutex));
    for (int i = 0; i < 3; i++) must_zero(pthread_mutex_unlock(&mutex));
    same(pthread_mutex_unlock(&mutex), EPERM);
    pass();
}
