// A PROT_NONE page between others faults; its neighbours are as before.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(3);
    fill(memory, 3 * PAGE, 1);
    must(mprotect(memory + PAGE, PAGE, PROT_NONE));
    wait_for_clone();
    check(read_faults(memory + PAGE));
    check(read_faults(memory + 2 * PAGE - 1));
    check(filled(memory, PAGE, 1));
    must(mprotect(memory + PAGE, PAGE, PROT_READ)); // content of unreadable pages is kept too
    check(filled(memory, 3 * PAGE, 1));
    pass();
}
