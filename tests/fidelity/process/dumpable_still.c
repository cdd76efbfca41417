// A process that may be dumped may be dumped.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    must(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    wait_for_clone();
    same(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
    pass();
}
