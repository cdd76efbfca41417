// Pages can be asked for ahead without changing what is in them.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 8 * PAGE, 1);
    if (madvise(memory, PAGE, MADV_POPULATE_READ)) skip("MADV_POPULATE_READ");
    wait_for_clone();
    must(madvise(memory, 16 * PAGE, MADV_POPULATE_READ));
    must(madvise(memory, 16 * PAGE, MADV_POPULATE_WRITE));
    must(madvise(memory, 16 * PAGE, MADV_WILLNEED));
    check(filled(memory, 8 * PAGE, 1));
    check(zeros(memory + 8 * PAGE, 8 * PAGE));
    pass();
}
