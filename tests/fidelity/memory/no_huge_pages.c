// Memory for which huge pages were forbidden keeps the flag.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    if (madvise(memory, 16 * PAGE, MADV_NOHUGEPAGE)) skip("transparent huge pages");
    wait_for_clone();
    check(filled(memory, 16 * PAGE, 1));
    check(vm_flag(memory, "nh"));
    pass();
}
