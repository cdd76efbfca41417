// Thread-specific values are kept, and their destructors run when a thread ends.
#include "../fidelity.h"

static pthread_key_t key;
static int go[2], destroyed;

static void destroy(void *value) { __atomic_add_fetch(&destroyed, (long)value, __ATOMIC_SEQ_CST); }

static void *keeper(void *value) {
    char byte;
    pthread_setspecific(key, value);
    while (read(go[0], &byte, 1) != 1) {}
    check(pthread_getspecific(key) == value);
    return NULL;
}

int main(void) {
    pthread_t threads[3];
    must(pipe(go));
    must_zero(pthread_key_create(&key, destroy));
    for (long i = 0; i < 3; i++) threads[i] = spawn(keeper, (void *)(i + 1));
    settle();
    wait_for_clone();
    sabotage(destroyed = 1);
    same(destroyed, 0);
    must(write(go[1], "123", 3));
    for (int i = 0; i < 3; i++) join(threads[i]);
    same(destroyed, 6);
    pass();
}
