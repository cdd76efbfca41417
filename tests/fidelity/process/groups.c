// Supplementary groups are kept.
#include "../fidelity.h"
#include <grp.h>

int main(void) {
    gid_t groups[40], now[50];
    for (int i = 0; i < 40; i++) groups[i] = 5000 + i * 3;
    if (setgroups(40, groups)) skip("CAP_SETGID");
    wait_for_clone();
    sabotage(setgroups(39, groups));
    same(getgroups(50, now), 40);
    check(memcmp(groups, now, sizeof groups) == 0);
    pass();
}
