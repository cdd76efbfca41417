// Guard pages can be installed over cloned content and hide it for good.
#include "../fidelity.h"

#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

int main(void) {
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 1);
    if (madvise(memory, PAGE, GUARD_INSTALL)) skip("MADV_GUARD_INSTALL");
    must(madvise(memory, PAGE, GUARD_REMOVE));
    wait_for_clone();
    must(madvise(memory + 4 * PAGE, 2 * PAGE, GUARD_INSTALL));
    check(read_faults(memory + 4 * PAGE));
    must(madvise(memory + 4 * PAGE, 2 * PAGE, GUARD_REMOVE));
    check(zeros(memory + 4 * PAGE, 2 * PAGE));
    check(!zeros(memory + 6 * PAGE, PAGE));
    pass();
}
