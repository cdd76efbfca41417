// Memory whose equal pages may be merged keeps the flag.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 1);
    if (madvise(memory, 8 * PAGE, MADV_MERGEABLE)) skip("same-page merging");
    wait_for_clone();
    check(vm_flag(memory, "mg"));
    check(filled(memory, 8 * PAGE, 1));
    pass();
}
