// Memory that is unmapped and mapped anew at the same place is zero.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    wait_for_clone();
    must(munmap(memory, 16 * PAGE));
    check(read_faults(memory));
    must(mmap(memory, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    check(zeros(memory, 16 * PAGE));
    pass();
}
