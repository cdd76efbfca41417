// Blocks allocated by many threads, each with an arena of its own, can be used and freed by others.
#include "../fidelity.h"

static int go[2];
static unsigned char *blocks[8][100];

static void *allocate(void *index) {
    char byte;
    for (int i = 0; i < 100; i++) fill(blocks[(long)index][i] = malloc(1000 + i), 1000 + i, i);
    while (read(go[0], &byte, 1) != 1) {}
    for (int i = 0; i < 50; i++) free(blocks[(long)index][i]);
    return malloc(100);
}

int main(void) {
    pthread_t threads[8];
    must(pipe(go));
    for (long i = 0; i < 8; i++) threads[i] = spawn(allocate, (void *)i);
    settle();
    wait_for_clone();
    for (int t = 0; t < 8; t++) {
        for (int i = 0; i < 100; i++) check(filled(blocks[t][i], 1000 + i, i));
    }
    must(write(go[1], "12345678", 8));
    for (int t = 0; t < 8; t++) {
        free(join(threads[t]));
        for (int i = 50; i < 100; i++) {
            check(filled(blocks[t][i], 1000 + i, i));
            free(blocks[t][i]);
        }
    }
    pass();
}
