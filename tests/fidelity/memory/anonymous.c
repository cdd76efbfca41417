// Anonymous private pages keep their content; those never touched stay zero.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(64);
    for (int page = 0; page < 64; page += 2) fill(memory + page * PAGE, PAGE, page);
    wait_for_clone();
    sabotage(memory[10 * PAGE + 7] ^= 1);
    for (int page = 0; page < 64; page += 2) {
        check(filled(memory + page * PAGE, PAGE, page));
        check(zeros(memory + (page + 1) * PAGE, PAGE));
    }
    fill(memory, 64 * PAGE, 99);
    check(filled(memory, 64 * PAGE, 99));
    pass();
}
