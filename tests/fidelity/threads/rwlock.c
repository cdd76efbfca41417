// Writers that wait for a lock held by a reader, and readers that come behind them.
#include "../fidelity.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int written, has_read;

static void *writer(void *unused) {
    pthread_rwlock_wrlock(&lock);
    written++;
    pthread_rwlock_unlock(&lock);
    return unused;
}

static void *reader(void *unused) {
    pthread_rwlock_rdlock(&lock);
    __atomic_add_fetch(&has_read, 1, __ATOMIC_SEQ_CST);
    pthread_rwlock_unlock(&lock);
    return unused;
}

int main(void) {
    pthread_t threads[6];
    pthread_rwlock_rdlock(&lock);
    for (int i = 0; i < 3; i++) threads[i] = spawn(writer, NULL);
    settle();
    for (int i = 3; i < 6; i++) threads[i] = spawn(reader, NULL);
    settle();
    wait_for_clone();
    sabotage(written = 1);
    same(__atomic_load_n(&written, __ATOMIC_SEQ_CST), 0);
    pthread_rwlock_unlock(&lock);
    for (int i = 0; i < 6; i++) join(threads[i]);
    same(written * 10 + has_read, 33);
    pass();
}
