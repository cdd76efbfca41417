// Memory for which huge pages were asked keeps content and flag.
#include "../fidelity.h"

int main(void) {
    size_t huge = 2 << 20;
    unsigned char *memory = pages(3 * huge / PAGE);
    memory = (unsigned char *)(((uintptr_t)memory + huge - 1) & -huge);
    if (madvise(memory, 2 * huge, MADV_HUGEPAGE)) skip("transparent huge pages");
    fill(memory, 2 * huge, 1);
    wait_for_clone();
    check(filled(memory, 2 * huge, 1));
    check(vm_flag(memory, "hg"));
    pass();
}
