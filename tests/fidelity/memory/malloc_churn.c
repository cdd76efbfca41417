// A heap with ten thousand blocks, many of them freed, stays consistent.
#include "../fidelity.h"

#define BLOCKS 10000

static unsigned char *blocks[BLOCKS];
static size_t sizes[BLOCKS];

static void allocate(int i, int limit) {
    sizes[i] = 1 + rand() % limit;
    blocks[i] = malloc(sizes[i]);
    fill(blocks[i], sizes[i], i);
}

int main(void) {
    srand(1);
    for (int i = 0; i < BLOCKS; i++) allocate(i, 2000);
    for (int i = 0; i < BLOCKS; i += 3) free(blocks[i]), blocks[i] = NULL;
    wait_for_clone();
    sabotage(blocks[1][0] ^= 1);
    for (int i = 0; i < BLOCKS; i++) check(!blocks[i] || filled(blocks[i], sizes[i], i));
    for (int i = 1; i < BLOCKS; i += 3) free(blocks[i]), blocks[i] = NULL;
    for (int i = 0; i < BLOCKS; i++) {
        if (!blocks[i]) allocate(i, 3000);
    }
    for (int i = 0; i < BLOCKS; i++) {
        check(filled(blocks[i], sizes[i], i));
        free(blocks[i]);
    }
    pass();
}
