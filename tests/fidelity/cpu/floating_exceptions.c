// Sticky exception flags of floating point are kept, and a trap that was enabled traps.
#include "../fidelity.h"
#include <fenv.h>

int main(void) {
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_OVERFLOW | FE_INEXACT);
    feenableexcept(FE_DIVBYZERO);
    wait_for_clone();
    same(fetestexcept(FE_ALL_EXCEPT), FE_OVERFLOW | FE_INEXACT);
    same(fegetexcept(), FE_DIVBYZERO);
    volatile double one = 1, zero = 0, quotient;
    check(dies_of(SIGFPE, quotient = one / zero));
    (void)quotient;
    pass();
}
