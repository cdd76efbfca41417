// Pages made read-only keep their content, refuse writes, and can be made writable again.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 3);
    must(mprotect(memory, 8 * PAGE, PROT_READ));
    wait_for_clone();
    sabotage(mprotect(memory, 8 * PAGE, PROT_READ | PROT_WRITE));
    check(filled(memory, 8 * PAGE, 3));
    check(write_faults(memory + 5 * PAGE));
    must(mprotect(memory, 8 * PAGE, PROT_READ | PROT_WRITE));
    memory[5 * PAGE] = 77;
    same(memory[5 * PAGE], 77);
    check(filled(memory, 5 * PAGE, 3));
    pass();
}
