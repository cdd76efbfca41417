// A mapping that shrinks and grows again after the clone has zeros at its end.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    wait_for_clone();
    check(mremap(memory, 16 * PAGE, 4 * PAGE, 0) == memory);
    check(read_faults(memory + 4 * PAGE));
    memory = must(mremap(memory, 4 * PAGE, 16 * PAGE, MREMAP_MAYMOVE));
    check(filled(memory, 4 * PAGE, 1));
    check(zeros(memory + 4 * PAGE, 12 * PAGE));
    pass();
}
