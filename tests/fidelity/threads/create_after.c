// Threads can be created, joined and detached after the clone, many times, beside those from before.
#include "../fidelity.h"

static int go[2];
static int ran;

static void *parked(void *unused) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    return unused;
}

static void *brief(void *value) {
    __atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
    return value;
}

int main(void) {
    must(pipe(go));
    pthread_t before = spawn(parked, NULL);
    join(spawn(brief, NULL)); // its stack is kept for the next one
    settle();
    wait_for_clone();
    for (long round = 0; round < 20; round++) {
        pthread_t threads[4];
        for (long i = 0; i < 4; i++) threads[i] = spawn(brief, (void *)(round * 4 + i));
        for (long i = 0; i < 4; i++) same((long)join(threads[i]), round * 4 + i);
    }
    must_zero(pthread_detach(spawn(brief, NULL)));
    check(eventually(__atomic_load_n(&ran, __ATOMIC_SEQ_CST) == 82));
    must(write(go[1], "x", 1));
    join(before);
    pass();
}
