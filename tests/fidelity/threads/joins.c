// Threads that ended before can be joined after; so can threads that end after; and values come through.
#include "../fidelity.h"

static int go[2];

static void *quick(void *value) { return value; }

static void *slow(void *value) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    return value;
}

static void *joiner(void *thread) { return join(*(pthread_t *)thread); }

int main(void) {
    must(pipe(go));
    pthread_t ended = spawn(quick, (void *)1), parked = spawn(slow, (void *)2);
    pthread_t joined = spawn(slow, (void *)3), joining = spawn(joiner, &joined);
    settle();
    wait_for_clone();
    same((long)join(ended), 1);
    must(write(go[1], "12", 2));
    same((long)join(parked), 2);
    same((long)join(joining), 3);
    pass();
}
