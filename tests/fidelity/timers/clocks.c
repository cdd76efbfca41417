// No clock goes back across the clone, and time that passes is seen by all of them.
#include "../fidelity.h"

int main(void) {
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
                                       CLOCK_REALTIME, CLOCK_TAI};
    enum { COUNT = sizeof clocks / sizeof *clocks };
    long long before[COUNT], after[COUNT];
    for (int i = 0; i < COUNT; i++) before[i] = now_ns(clocks[i]);
    wait_for_clone();
    sabotage(before[0] += 3600 * SECOND_NS);
    for (int i = 0; i < COUNT; i++) {
        after[i] = now_ns(clocks[i]);
        check(after[i] >= before[i]);
        check(after[i] < before[i] + 600 * SECOND_NS);
    }
    sleep_ms(30);
    for (int i = 0; i < COUNT; i++) check(now_ns(clocks[i]) - after[i] >= 20000000);
    pass();
}
