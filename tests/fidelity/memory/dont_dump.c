// MADV_DONTDUMP memory keeps its content and the flag.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(4);
    fill(memory, 4 * PAGE, 1);
    must(madvise(memory + PAGE, 2 * PAGE, MADV_DONTDUMP));
    wait_for_clone();
    check(filled(memory, 4 * PAGE, 1));
    check(!vm_flag(memory, "dd") && vm_flag(memory + PAGE, "dd") && !vm_flag(memory + 3 * PAGE, "dd"));
    pass();
}
