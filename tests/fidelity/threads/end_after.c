// Threads that begin and end after the clone may have their stacks where memory of the image was.
#include "../fidelity.h"

#define STACK (1 << 20)

static void *deep(void *unused) {
    volatile char stack[STACK / 2];
    for (size_t i = 0; i < sizeof stack; i += PAGE) stack[i] = 1;
    return unused;
}

int main(void) {
    // Where the next mappings go: between what there is.
    unsigned char *memory = must(mmap(NULL, 64 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    fill(memory, 64 * STACK, 1);
    pthread_t before[8];
    for (int i = 0; i < 8; i++) before[i] = spawn(deep, NULL);
    for (int i = 0; i < 8; i++) join(before[i]); // stacks that libc keeps for later
    wait_for_clone();
    pthread_t threads[50];
    for (int i = 0; i < 50; i++) threads[i] = spawn(deep, NULL);
    for (int i = 0; i < 50; i++) join(threads[i]);
    must(munmap(memory, 48 * STACK));
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK);
    for (int i = 0; i < 50; i++) must_zero(pthread_create(&threads[i], &small, deep, NULL));
    for (int i = 0; i < 50; i++) join(threads[i]);
    check(filled(memory + 48 * STACK, 16 * STACK, 1) || memory[48 * STACK] != pattern(0, 1));
    pass();
}
