// A performance counter.
// refused: perf_event
#include "../fidelity.h"
#include <linux/perf_event.h>

int main(void) {
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_CPU_CLOCK};
    if (syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0) == -1) skip("perf_event_open");
    wait_for_clone();
    pass();
}
