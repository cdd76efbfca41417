// Growing a mapping in place, where free room follows, gives zeros.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    must(munmap(memory + 4 * PAGE, 12 * PAGE));
    wait_for_clone();
    check(mremap(memory, 4 * PAGE, 16 * PAGE, 0) == memory);
    check(filled(memory, 4 * PAGE, 1));
    check(zeros(memory + 4 * PAGE, 12 * PAGE));
    pass();
}
