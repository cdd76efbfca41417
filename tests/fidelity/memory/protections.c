// Neighbouring pages with different protections keep each its own.
#include "../fidelity.h"

int main(void) {
    static const int kinds[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    for (int page = 0; page < 16; page++) must(mprotect(memory + page * PAGE, PAGE, kinds[page * 7 / 4 % 4]));
    wait_for_clone();
    sabotage(mprotect(memory, 16 * PAGE, PROT_READ | PROT_WRITE));
    for (int page = 0; page < 16; page++) {
        int kind = kinds[page * 7 / 4 % 4];
        check(read_faults(memory + page * PAGE) == !(kind & PROT_READ));
        check(write_faults(memory + page * PAGE) == !(kind & PROT_WRITE));
    }
    must(mprotect(memory, 16 * PAGE, PROT_READ));
    check(filled(memory, 16 * PAGE, 1));
    pass();
}
