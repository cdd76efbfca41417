// A mutex with priority inheritance, whose word holds the owner's thread id for the kernel, is still its owner's.
#include "../fidelity.h"

static pthread_mutex_t mutex;

static void *next(void *unused) {
    must_zero(pthread_mutex_lock(&mutex));
    must_zero(pthread_mutex_unlock(&mutex));
    return unused;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    must_zero(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    must_zero(pthread_mutex_init(&mutex, &attributes));
    must_zero(pthread_mutex_lock(&mutex));
    pthread_t thread = spawn(next, NULL);
    settle();
    wait_for_clone();
    must_zero(pthread_mutex_unlock(&mutex));
    join(thread);
    must_zero(pthread_mutex_lock(&mutex));
    pass();
}
