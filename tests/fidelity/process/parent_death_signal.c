// The signal at the parent's death is kept.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    must(prctl(PR_SET_PDEATHSIG, SIGURG)); // ignored by default
    wait_for_clone();
    int number = 0;
    must(prctl(PR_GET_PDEATHSIG, &number));
    same(number, SIGURG);
    pass();
}
