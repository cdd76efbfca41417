// Each thread keeps its own thread-local variables, initialised and zero ones.
#include "../fidelity.h"

static __thread long number = 7;
static __thread char text[200];
static int go[2];

static void *keeper(void *index) {
    char byte;
    long *place = &number;
    check(number == 7 && zeros(text, sizeof text));
    number = (long)index * 1000;
    snprintf(text, sizeof text, "thread %ld", (long)index);
    while (read(go[0], &byte, 1) != 1) {}
    check(place == &number);
    same(number, (long)index * 1000);
    same(atol(text + 7), (long)index);
    return NULL;
}

static void *newcomer(void *unused) {
    same(number, 7);
    return unused;
}

int main(void) {
    pthread_t threads[8];
    must(pipe(go));
    for (long i = 0; i < 8; i++) threads[i] = spawn(keeper, (void *)i);
    number = 99;
    settle();
    wait_for_clone();
    sabotage(number = 98);
    same(number, 99);
    must(write(go[1], "12345678", 8));
    for (int i = 0; i < 8; i++) join(threads[i]);
    join(spawn(newcomer, NULL));
    same(number, 99);
    pass();
}
