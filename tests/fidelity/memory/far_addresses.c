// Memory at the lowest and highest addresses that a program may have.
#include "../fidelity.h"

int main(void) {
    unsigned char *low = mmap((void *)0x10000, 4 * PAGE, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    unsigned char *high = mmap((void *)0x7fffffff0000 - 0x1000 * 4, 4 * PAGE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (low == MAP_FAILED || high == MAP_FAILED) skip("free pages at both ends of the address space");
    fill(low, 4 * PAGE, 1);
    fill(high, 4 * PAGE, 2);
    wait_for_clone();
    check(filled(low, 4 * PAGE, 1));
    check(filled(high, 4 * PAGE, 2));
    pass();
}
