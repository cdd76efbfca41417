// Huge pages not switched off for the process are not switched off by the engine.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)) skip("a parent with huge pages");
    wait_for_clone();
    same(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
    pass();
}
