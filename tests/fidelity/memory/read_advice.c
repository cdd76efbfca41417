// Advice about the order of access is kept.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(12);
    fill(memory, 12 * PAGE, 1);
    must(madvise(memory, 4 * PAGE, MADV_SEQUENTIAL));
    must(madvise(memory + 4 * PAGE, 4 * PAGE, MADV_RANDOM));
    wait_for_clone();
    check(vm_flag(memory, "sr") && vm_flag(memory + 4 * PAGE, "rr"));
    check(!vm_flag(memory + 8 * PAGE, "sr") && !vm_flag(memory + 8 * PAGE, "rr"));
    check(filled(memory, 12 * PAGE, 1));
    pass();
}
