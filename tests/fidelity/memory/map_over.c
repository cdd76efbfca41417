// Mapping over a part of cloned memory replaces that part only.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    wait_for_clone();
    must(mmap(memory + 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    check(filled(memory, 8 * PAGE, 1));
    check(zeros(memory + 8 * PAGE, 8 * PAGE));
    pass();
}
