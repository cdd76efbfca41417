// MADV_DONTNEED in a child of the clone gives zeros there and changes nothing in the clone.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    wait_for_clone();
    check(in_child(madvise(memory, 16 * PAGE, MADV_DONTNEED) == 0 && zeros(memory, 16 * PAGE)));
    check(filled(memory, 16 * PAGE, 1));
    pass();
}
