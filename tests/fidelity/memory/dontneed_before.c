// What MADV_DONTNEED dropped before the freeze is zero afterwards.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    must(madvise(memory, 8 * PAGE, MADV_DONTNEED));
    wait_for_clone();
    check(zeros(memory, 8 * PAGE));
    check(!zeros(memory + 8 * PAGE, 1));
    pass();
}
