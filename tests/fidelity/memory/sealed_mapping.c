// A sealed mapping (mseal, Linux 6.10) stays sealed.
#include "../fidelity.h"

#define SYS_MSEAL 462

int main(void) {
    unsigned char *memory = pages(4);
    fill(memory, 4 * PAGE, 1);
    if (syscall(SYS_MSEAL, memory, 4 * PAGE, 0)) skip("mseal");
    wait_for_clone();
    check(filled(memory, 4 * PAGE, 1));
    same(munmap(memory, PAGE), -1);
    same(errno, EPERM);
    same(mprotect(memory, PAGE, PROT_READ), -1);
    memory[0] = 1;
    pass();
}
