// calloc of large blocks gives zeros after larger ones were freed, before and after the clone.
#include "../fidelity.h"
#include <malloc.h>

int main(void) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    unsigned char *block = malloc(4 << 20);
    fill(block, 4 << 20, 1);
    check(malloc(10)); // keeps the heap's end where it is
    wait_for_clone();
    check(filled(block, 4 << 20, 1));
    free(block);
    malloc_trim(0);
    for (int round = 0; round < 20; round++) {
        size_t bytes = (100 + round * 97) << 10;
        block = calloc(1, bytes);
        check(zeros(block, bytes));
        fill(block, bytes, round);
        free(block);
        malloc_trim(0);
    }
    pass();
}
