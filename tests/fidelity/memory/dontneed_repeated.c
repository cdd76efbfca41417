// A thousand rounds of MADV_DONTNEED, as collectors of garbage do them, never bring anything back.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(64);
    fill(memory, 64 * PAGE, 1);
    wait_for_clone();
    for (int round = 0; round < 1000; round++) {
        size_t first = round * 37 % 60, count = 1 + round % 4;
        must(madvise(memory + first * PAGE, count * PAGE, MADV_DONTNEED));
        for (size_t page = first; page < first + count; page++) {
            same(memory[page * PAGE], 0);
            same(memory[page * PAGE + PAGE - 1], 0);
            memory[page * PAGE] = 1;
        }
    }
    pass();
}
