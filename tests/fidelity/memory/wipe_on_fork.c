// MADV_WIPEONFORK memory is zero in a clone, as in any child, and keeps the flag.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(4);
    fill(memory, 4 * PAGE, 1);
    must(madvise(memory, 4 * PAGE, MADV_WIPEONFORK));
    wait_for_clone();
    sabotage(memory[0] ^= 1);
    check(native() ? filled(memory, 4 * PAGE, 1) : zeros(memory, 4 * PAGE));
    check(vm_flag(memory, "wf"));
    fill(memory, 4 * PAGE, 2);
    check(in_child(zeros(memory, 4 * PAGE)));
    check(filled(memory, 4 * PAGE, 2));
    pass();
}
