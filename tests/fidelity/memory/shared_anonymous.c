// Shared anonymous memory keeps its content and is shared with a child, but not with other clones.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = must(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    fill(memory, 6 * PAGE, 1);
    wait_for_clone();
    sabotage(memory[3] ^= 1);
    check(filled(memory, 6 * PAGE, 1));
    check(zeros(memory + 6 * PAGE, 2 * PAGE));
    int *counter = (int *)(memory + 7 * PAGE);
    for (int i = 0; i < 5; i++) check(in_child(++*counter));
    same(*counter, 5);
    pass();
}
