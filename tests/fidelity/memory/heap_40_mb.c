// A heap of 40 MB in blocks of 64 KB, every byte of it right.
#include "../fidelity.h"

#define BLOCKS 640

int main(void) {
    static unsigned char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) fill(blocks[i] = malloc(65536), 65536, i);
    wait_for_clone();
    sabotage(blocks[639][65535] ^= 1);
    for (int i = 0; i < BLOCKS; i++) check(filled(blocks[i], 65536, i));
    for (int i = 0; i < BLOCKS; i += 40) fill(blocks[i], 65536, i + 1);
    for (int i = 0; i < BLOCKS; i++) check(filled(blocks[i], 65536, i % 40 ? i : i + 1));
    pass();
}
