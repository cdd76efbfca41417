// MADV_DONTFORK memory is there in a clone, and not in the clone's children.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(4);
    fill(memory, 4 * PAGE, 1);
    must(madvise(memory, 4 * PAGE, MADV_DONTFORK));
    wait_for_clone();
    check(filled(memory, 4 * PAGE, 1));
    check(vm_flag(memory, "dc"));
    check(read_faults(memory));
    pass();
}
