// Memory that is dropped here and there keeps its protection, and can still be moved and grown as one.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(32), *behind = pages(4), expected[32 * PAGE];
    fill(memory, 32 * PAGE, 1);
    fill(expected, 32 * PAGE, 1);
    must(munmap(behind, 4 * PAGE));
    wait_for_clone();
    for (int page = 1; page < 16; page += 2) {
        must(madvise(memory + page * PAGE, PAGE, MADV_DONTNEED));
        memset(expected + page * PAGE, 0, PAGE);
    }
    must(mprotect(memory + 20 * PAGE, 2 * PAGE, PROT_READ));
    must(madvise(memory + 20 * PAGE, 2 * PAGE, MADV_DONTNEED));
    check(zeros(memory + 20 * PAGE, 2 * PAGE) && write_faults(memory + 20 * PAGE));
    memset(expected + 20 * PAGE, 0, 2 * PAGE);
    must(mprotect(memory + 20 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
    check(memcmp(memory, expected, 32 * PAGE) == 0);
    memory = must(mremap(memory, 32 * PAGE, 200 * PAGE, MREMAP_MAYMOVE));
    sabotage(memory[5 * PAGE] = 1);
    check(memcmp(memory, expected, 32 * PAGE) == 0 && zeros(memory + 32 * PAGE, 168 * PAGE));
    same(madvise(memory + 1, PAGE, MADV_DONTNEED), -1);
    same(errno, EINVAL);
    must(munmap(memory + 8 * PAGE, PAGE));
    same(madvise(memory, 32 * PAGE, MADV_DONTNEED), -1);
    same(errno, ENOMEM);
    check(zeros(memory, 8 * PAGE) && zeros(memory + 9 * PAGE, 23 * PAGE));
    pass();
}
