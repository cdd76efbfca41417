// One small page dropped out of a huge one is zero; its neighbours stay.
#include "../fidelity.h"

int main(void) {
    size_t huge = 2 << 20;
    unsigned char *memory = pages(2 * huge / PAGE);
    memory = (unsigned char *)(((uintptr_t)memory + huge - 1) & -huge);
    if (madvise(memory, huge, MADV_HUGEPAGE)) skip("transparent huge pages");
    for (size_t page = 0; page < 512; page++) fill(memory + page * PAGE, PAGE, page);
    wait_for_clone();
    must(madvise(memory + 100 * PAGE, PAGE, MADV_DONTNEED));
    must(mprotect(memory + 200 * PAGE, PAGE, PROT_READ));
    for (size_t page = 0; page < 512; page++) {
        check(page == 100 ? zeros(memory + page * PAGE, PAGE) : filled(memory + page * PAGE, PAGE, page));
    }
    check(write_faults(memory + 200 * PAGE));
    pass();
}
