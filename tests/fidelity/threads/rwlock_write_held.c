// A lock held by a writer, in which libc keeps the writer's thread id: readers that wait for it get it.
#include "../fidelity.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void *reader(void *unused) {
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_unlock(&lock);
    return unused;
}

int main(void) {
    pthread_t threads[3];
    pthread_rwlock_wrlock(&lock);
    for (int i = 0; i < 3; i++) threads[i] = spawn(reader, NULL);
    settle();
    wait_for_clone();
    same(pthread_rwlock_tryrdlock(&lock), EBUSY);
    pthread_rwlock_unlock(&lock);
    for (int i = 0; i < 3; i++) join(threads[i]);
    must_zero(pthread_rwlock_wrlock(&lock));
    pass();
}
