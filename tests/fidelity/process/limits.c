// All resource limits are kept, soft and hard.
#include "../fidelity.h"

int main(void) {
    struct rlimit before[16], after;
    for (unsigned i = 0; i < 16; i++) {
        must(getrlimit(i, &before[i]));
        if (i == RLIMIT_AS || i == RLIMIT_DATA || i == RLIMIT_NPROC || i == RLIMIT_CPU || i == RLIMIT_FSIZE) continue;
        if (before[i].rlim_max > 1000000 + i) before[i].rlim_max = 1000000 + i;
        if (before[i].rlim_cur > before[i].rlim_max - 7) before[i].rlim_cur = before[i].rlim_max - 7;
        if (setrlimit(i, &before[i])) must(getrlimit(i, &before[i]));
    }
    wait_for_clone();
    sabotage(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
    for (int i = 0; i < 16; i++) {
        must(getrlimit(i, &after));
        if (after.rlim_cur != before[i].rlim_cur || after.rlim_max != before[i].rlim_max) {
            fail("limit %d was %lu/%lu and is %lu/%lu", i, before[i].rlim_cur, before[i].rlim_max, after.rlim_cur, after.rlim_max);
        }
    }
    pass();
}
