// Guard pages (MADV_GUARD_INSTALL, Linux 6.13) fault until they are removed, then they are zero.
#include "../fidelity.h"

#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

int main(void) {
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 1);
    if (madvise(memory + 2 * PAGE, 2 * PAGE, GUARD_INSTALL)) skip("MADV_GUARD_INSTALL");
    wait_for_clone();
    sabotage(madvise(memory + 2 * PAGE, 2 * PAGE, GUARD_REMOVE));
    check(read_faults(memory + 2 * PAGE));
    check(write_faults(memory + 3 * PAGE));
    check(filled(memory, 2 * PAGE, 1));
    must(madvise(memory + 2 * PAGE, PAGE, GUARD_REMOVE));
    check(zeros(memory + 2 * PAGE, PAGE));
    check(read_faults(memory + 3 * PAGE));
    memory[2 * PAGE] = 1;
    pass();
}
