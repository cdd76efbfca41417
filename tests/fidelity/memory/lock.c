// Locked memory is locked after the clone, and can be unlocked.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 1);
    must(mlock(memory, 4 * PAGE));
    wait_for_clone();
    sabotage(munlock(memory, 4 * PAGE));
    check(filled(memory, 8 * PAGE, 1));
    check(vm_flag(memory, "lo") && !vm_flag(memory + 4 * PAGE, "lo"));
    check(atoi(status_of("VmLck:")) >= 16);
    must(munlock(memory, 4 * PAGE));
    check(!vm_flag(memory, "lo"));
    pass();
}
