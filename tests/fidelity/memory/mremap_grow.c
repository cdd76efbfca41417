// Growing a mapping with mremap gives zeros behind the old content.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 1);
    fill(pages(8), 8 * PAGE, 2); // a neighbour that may follow in the image
    wait_for_clone();
    memory = must(mremap(memory, 8 * PAGE, 64 * PAGE, MREMAP_MAYMOVE));
    sabotage(memory[60 * PAGE] = 1);
    check(filled(memory, 8 * PAGE, 1));
    check(zeros(memory + 8 * PAGE, 56 * PAGE));
    fill(memory, 64 * PAGE, 3);
    check(filled(memory, 64 * PAGE, 3));
    pass();
}
