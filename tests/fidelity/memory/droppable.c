// MAP_DROPPABLE memory (Linux 6.11) is zero in a clone, usable, and still droppable.
#include "../fidelity.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

int main(void) {
    unsigned char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) skip("MAP_DROPPABLE");
    fill(memory, 4 * PAGE, 1);
    wait_for_clone();
    if (!native()) check(zeros(memory, 4 * PAGE));
    check(vm_flag(memory, "dp"));
    memory[5] = 1;
    pass();
}
