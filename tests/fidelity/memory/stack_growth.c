// The main thread's stack keeps its content and can still grow.
#include "../fidelity.h"

static int deep(int levels) {
    volatile char frame[1024];
    for (size_t i = 0; i < sizeof frame; i++) frame[i] = (char)levels;
    int sum = levels ? deep(levels - 1) : 0;
    for (size_t i = 0; i < sizeof frame; i++) check(frame[i] == (char)levels);
    return sum + 1;
}

int main(void) {
    unsigned char held[64 * 1024];
    fill(held, sizeof held, 8);
    same(deep(500), 501);
    wait_for_clone();
    sabotage(held[1000] ^= 1);
    check(filled(held, sizeof held, 8));
    same(deep(5000), 5001);
    pass();
}
