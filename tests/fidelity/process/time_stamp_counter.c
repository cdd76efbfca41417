// A process that may not read the time stamp counter (PR_SET_TSC) may not.
#include "../fidelity.h"
#include <sys/prctl.h>
#include <x86intrin.h>

int main(void) {
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0)) skip("PR_SET_TSC");
    wait_for_clone();
    int mode = 0;
    must(prctl(PR_GET_TSC, &mode));
    same(mode, PR_TSC_SIGSEGV);
    pass();
}
