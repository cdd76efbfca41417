// MADV_DONTNEED after the clone gives zeros, never the image's content again.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    wait_for_clone();
    must(madvise(memory + 4 * PAGE, 4 * PAGE, MADV_DONTNEED)); // untouched since the clone
    fill(memory + 8 * PAGE, 4 * PAGE, 2);
    must(madvise(memory + 8 * PAGE, 4 * PAGE, MADV_DONTNEED)); // written since the clone
    sabotage(memory[9 * PAGE] = 1);
    check(filled(memory, 4 * PAGE, 1));
    check(zeros(memory + 4 * PAGE, 8 * PAGE));
    fill(memory, 16 * PAGE, 3);
    must(madvise(memory, 16 * PAGE, MADV_DONTNEED));
    check(zeros(memory, 16 * PAGE));
    pass();
}
