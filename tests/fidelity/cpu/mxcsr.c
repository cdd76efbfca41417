// The control and status register of SSE: rounding, flush to zero, sticky flags, masks.
#include "../fidelity.h"
#include <xmmintrin.h>

int main(void) {
    _mm_setcsr(0x1f80 | 0x6000 | 0x8000 | 0x0021); // toward zero, flush to zero, inexact and invalid seen
    wait_for_clone();
    sabotage(_mm_setcsr(0x1f80));
    same(_mm_getcsr(), 0x1f80 | 0x6000 | 0x8000 | 0x0021);
    pass();
}
