// Variables of the program, initialised, zero and constant, are as it left them.
#include "../fidelity.h"

static unsigned char initialised[3 * PAGE] = {1, 2, 3};
static unsigned char zero[5 * PAGE];
static const char *const constant[] = {"one", "two"};

int main(void) {
    fill(initialised + PAGE, PAGE, 1);
    fill(zero + PAGE, 2 * PAGE, 2);
    wait_for_clone();
    sabotage(initialised[2] = 9);
    check(initialised[0] == 1 && initialised[1] == 2 && initialised[2] == 3);
    check(filled(initialised + PAGE, PAGE, 1));
    check(zeros(initialised + 2 * PAGE, PAGE) && zeros(zero, PAGE));
    check(filled(zero + PAGE, 2 * PAGE, 2));
    check(zeros(zero + 3 * PAGE, 2 * PAGE));
    check(strcmp(constant[1], "two") == 0);
    pass();
}
