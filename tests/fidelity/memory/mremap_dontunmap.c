// MREMAP_DONTUNMAP leaves an empty mapping where the old one was.
#include "../fidelity.h"

int main(void) {
    unsigned char *from = pages(8);
    fill(from, 8 * PAGE, 1);
    wait_for_clone();
    unsigned char *to = must(mremap(from, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    check(to != from);
    check(filled(to, 8 * PAGE, 1));
    check(zeros(from, 8 * PAGE));
    pass();
}
