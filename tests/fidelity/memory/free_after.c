// MADV_FREE is accepted after the clone: a page is then old or zero, and what is written later stays.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    unsigned char expected[16 * PAGE];
    fill(expected, sizeof expected, 1);
    wait_for_clone();
    must(madvise(memory, 8 * PAGE, MADV_FREE));
    for (int page = 0; page < 8; page++) {
        unsigned char *at = memory + page * PAGE;
        check(zeros(at, PAGE) || memcmp(at, expected + page * PAGE, PAGE) == 0);
    }
    fill(memory, 8 * PAGE, 2);
    check(filled(memory, 8 * PAGE, 2));
    check(memcmp(memory + 8 * PAGE, expected + 8 * PAGE, 8 * PAGE) == 0);
    pass();
}
