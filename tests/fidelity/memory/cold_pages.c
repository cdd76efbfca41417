// MADV_COLD and MADV_PAGEOUT on cloned memory change nothing in it.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    wait_for_clone();
    must(madvise(memory, 8 * PAGE, MADV_COLD));
    must(madvise(memory + 8 * PAGE, 8 * PAGE, MADV_PAGEOUT));
    check(filled(memory, 16 * PAGE, 1));
    pass();
}
