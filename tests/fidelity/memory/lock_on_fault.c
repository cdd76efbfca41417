// Memory that is locked as it is touched (mlock2) keeps both flags.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(8);
    fill(memory, PAGE, 1);
    if (mlock2(memory, 8 * PAGE, MLOCK_ONFAULT)) skip("mlock2");
    wait_for_clone();
    check(vm_flag(memory, "lo") && vm_flag(memory, "lf"));
    check(filled(memory, PAGE, 1));
    check(zeros(memory + PAGE, 7 * PAGE));
    pass();
}
