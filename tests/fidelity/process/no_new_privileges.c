// A process that gave up new privileges has given them up.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    wait_for_clone();
    same(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    pass();
}
