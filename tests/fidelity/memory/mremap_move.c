// Moving a mapping takes its content along and leaves nothing behind.
#include "../fidelity.h"

int main(void) {
    unsigned char *from = pages(8), *to = must(mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    fill(from, 8 * PAGE, 1);
    wait_for_clone();
    check(mremap(from, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    check(filled(to, 8 * PAGE, 1));
    check(read_faults(from));
    check(read_faults(to + 8 * PAGE));
    pass();
}
