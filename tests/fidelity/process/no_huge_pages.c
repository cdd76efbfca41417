// Huge pages switched off for the whole process (PR_SET_THP_DISABLE).
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)) skip("PR_SET_THP_DISABLE");
    wait_for_clone();
    same(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
    pass();
}
