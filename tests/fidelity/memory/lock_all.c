// After mlockall(MCL_CURRENT) every mapping stays locked.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(8);
    static char data[100];
    char stack[100];
    memory[0] = stack[0] = data[0] = 1;
    must(mlockall(MCL_CURRENT));
    wait_for_clone();
    check(vm_flag(memory, "lo") && vm_flag(data, "lo") && vm_flag(stack, "lo"));
    unsigned char *later = pages(3);
    check(!vm_flag(later, "lo") || later + 3 * PAGE == memory);
    pass();
}
