// A thread that is scheduled by deadline.
// refused: policy | deadline
#include "../fidelity.h"

int main(void) {
    struct { // sched_attr, sched_setattr(2)
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } attributes = {.size = sizeof attributes, .policy = 6, .runtime_ns = 1000000, .deadline_ns = 100000000, .period_ns = 100000000};
    if (syscall(SYS_sched_setattr, 0, &attributes, 0)) skip("SCHED_DEADLINE");
    wait_for_clone();
    pass();
}
