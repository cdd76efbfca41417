// A process that did not give up new privileges may still gain them.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) skip("a parent without no_new_privs");
    wait_for_clone();
    same(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    pass();
}
