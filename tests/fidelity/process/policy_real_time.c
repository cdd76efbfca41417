// The scheduling policy is kept: round robin, with its priority.
#include "../fidelity.h"
#include <sched.h>

int main(void) {
    struct sched_param param = {.sched_priority = 3};
    if (sched_setscheduler(0, SCHED_RR, &param)) skip("real-time scheduling");
    wait_for_clone();
    param.sched_priority = 0;
    same(sched_getscheduler(0), SCHED_RR);
    must(sched_getparam(0, &param));
    same(param.sched_priority, 3);
    pass();
}
