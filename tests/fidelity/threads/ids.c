// The thread ids that libc keeps are those of the kernel, for the main thread and for others, and differ.
#include "../fidelity.h"

static int go[2], ids[9];

static int cached_id(void) { // an owner's id comes from libc's memory
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    pthread_mutex_lock(&mutex);
    int id = mutex.__data.__owner;
    must_zero(pthread_mutex_unlock(&mutex));
    return id;
}

static void *parked(void *index) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    ids[(long)index] = gettid();
    same(cached_id(), gettid());
    return NULL;
}

int main(void) {
    pthread_t threads[8];
    must(pipe(go));
    for (long i = 0; i < 8; i++) threads[i] = spawn(parked, (void *)i);
    settle();
    wait_for_clone();
    same(cached_id(), gettid());
    same(gettid(), getpid());
    must(write(go[1], "12345678", 8));
    for (int i = 0; i < 8; i++) join(threads[i]);
    ids[8] = gettid();
    for (int i = 0; i < 9; i++) {
        for (int j = 0; j < i; j++) check(ids[i] != ids[j]);
    }
    pass();
}
