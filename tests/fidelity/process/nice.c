// The nice value is kept.
#include "../fidelity.h"

int main(void) {
    must(setpriority(PRIO_PROCESS, 0, 7));
    wait_for_clone();
    sabotage(setpriority(PRIO_PROCESS, 0, 8));
    same(getpriority(PRIO_PROCESS, 0), 7);
    pass();
}
