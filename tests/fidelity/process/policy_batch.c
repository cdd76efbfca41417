// The scheduling policy is kept: batch, with the flag that children do not get it.
#include "../fidelity.h"
#include <sched.h>

int main(void) {
    struct sched_param none = {0};
    must(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none));
    wait_for_clone();
    same(sched_getscheduler(0), SCHED_BATCH | SCHED_RESET_ON_FORK);
    pass();
}
