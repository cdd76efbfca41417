// Anonymous memory that was made read-only is zeros when it is dropped, as what a compiler throws away.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(64);
    fill(memory, 64 * PAGE, 3);
    must(mprotect(memory, 64 * PAGE, PROT_READ));
    wait_for_clone();
    check(filled(memory, 64 * PAGE, 3));
    must(madvise(memory + 8 * PAGE, 32 * PAGE, MADV_DONTNEED));
    sabotage(must(mprotect(memory, PAGE, PROT_READ | PROT_WRITE)); memory[0]++);
    check(filled(memory, 8 * PAGE, 3));
    check(zeros(memory + 8 * PAGE, 32 * PAGE));
    pass();
}
