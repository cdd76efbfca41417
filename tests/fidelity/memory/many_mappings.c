// Three thousand mappings, each with its own content.
#include "../fidelity.h"

#define COUNT 3000

int main(void) {
    unsigned char *memory = pages(2 * COUNT);
    for (long i = 0; i < COUNT; i++) {
        *(long *)(memory + 2 * i * PAGE) = i;
        must(mprotect(memory + (2 * i + 1) * PAGE, PAGE, PROT_READ));
    }
    wait_for_clone();
    for (long i = 0; i < COUNT; i++) {
        same(*(long *)(memory + 2 * i * PAGE), i);
        check(zeros(memory + (2 * i + 1) * PAGE, 64));
    }
    must(munmap(memory, 2 * COUNT * PAGE));
    pass();
}
