// The scheduling policy is kept: idle.
#include "../fidelity.h"
#include <sched.h>

int main(void) {
    struct sched_param none = {0};
    must(sched_setscheduler(0, SCHED_IDLE, &none));
    wait_for_clone();
    same(sched_getscheduler(0), SCHED_IDLE);
    pass();
}
