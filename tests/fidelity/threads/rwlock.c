// Writers that wait for a reader, and readers that wait for a writer.
#include "../fidelity.h"

static pthread_rwlock_t read_held = PTHREAD_RWLOCK_INITIALIZER, write_held = PTHREAD_RWLOCK_INITIALIZER;
static int written, has_read;

static void *writer(void *unused) {
    pthread_rwlock_wrlock(&read_held);
    written++;
    pthread_rwlock_unlock(&read_held);
    return unused;
}

static void *reader(void *unused) {
    pthread_rwlock_rdlock(&write_held);
    __atomic_add_fetch(&has_read, 1, __ATOMIC_SEQ_CST);
    pthread_rwlock_unlock(&write_held);
    return unused;
}

int main(void) {
    pthread_t threads[6];
    pthread_rwlock_rdlock(&read_held);
    pthread_rwlock_wrlock(&write_held);
    for (int i = 0; i < 6; i++) threads[i] = spawn(i % 2 ? writer : reader, NULL);
    settle();
    wait_for_clone();
    same(written + has_read, 0);
    pthread_rwlock_unlock(&read_held);
    pthread_rwlock_unlock(&write_held);
    for (int i = 0; i < 6; i++) join(threads[i]);
    same(written * 10 + has_read, 33);
    pass();
}
