// Moving the middle of a mapping away splits it; all three parts keep their content.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(12);
    unsigned char expected[12 * PAGE];
    fill(memory, 12 * PAGE, 1);
    fill(expected, 12 * PAGE, 1);
    wait_for_clone();
    unsigned char *to = pages(8);
    check(mremap(memory + 4 * PAGE, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    check(memcmp(to, expected + 4 * PAGE, 4 * PAGE) == 0);
    check(zeros(to + 4 * PAGE, 4 * PAGE));
    check(memcmp(memory, expected, 4 * PAGE) == 0);
    check(memcmp(memory + 8 * PAGE, expected + 8 * PAGE, 4 * PAGE) == 0);
    check(read_faults(memory + 4 * PAGE));
    pass();
}
