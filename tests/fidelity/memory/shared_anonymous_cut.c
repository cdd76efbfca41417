// Shared anonymous memory whose first half was unmapped: what is left keeps its place.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = must(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    fill(memory, 8 * PAGE, 1);
    must(munmap(memory, 3 * PAGE));
    must(mprotect(memory + 6 * PAGE, PAGE, PROT_READ));
    unsigned char expected[8 * PAGE];
    fill(expected, sizeof expected, 1);
    wait_for_clone();
    check(read_faults(memory));
    check(memcmp(memory + 3 * PAGE, expected + 3 * PAGE, 5 * PAGE) == 0);
    check(write_faults(memory + 6 * PAGE));
    pass();
}
