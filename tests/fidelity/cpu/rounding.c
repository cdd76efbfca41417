// The rounding mode holds for float, double and long double, in every thread its own.
#include "../fidelity.h"
#include <fenv.h>

static int go[2];

static void *upward(void *unused) {
    char byte;
    fesetround(FE_UPWARD);
    while (read(go[0], &byte, 1) != 1) {}
    volatile double one = 1, three = 3;
    same(fegetround(), FE_UPWARD);
    check(one / three * 3 > 1 - 1e-20);
    return unused;
}

int main(void) {
    must(pipe(go));
    pthread_t thread = spawn(upward, NULL);
    fesetround(FE_DOWNWARD);
    volatile double one = 1, ten = 10;
    volatile long double long_one = 1, long_ten = 10;
    double down = one / ten;
    long double long_down = long_one / long_ten;
    settle();
    wait_for_clone();
    sabotage(fesetround(FE_TONEAREST));
    same(fegetround(), FE_DOWNWARD);
    check(one / ten == down && long_one / long_ten == long_down);
    fesetround(FE_UPWARD);
    check(one / ten > down && long_one / long_ten > long_down);
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
