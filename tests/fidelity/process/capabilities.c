// The five capability sets are kept: some given up, some only permitted, one ambient.
#include "../fidelity.h"
#include <linux/capability.h>
#include <sys/prctl.h>

static const char *const keys[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};

int main(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    char *before[5];
    if (prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT)) skip("CAP_SETPCAP");
    must(syscall(SYS_capget, &header, sets));
    sets[0].permitted &= ~(1u << CAP_SYS_RAWIO);
    sets[0].effective = sets[0].permitted & ~(1u << CAP_NET_RAW);
    sets[0].inheritable = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_KILL;
    must(syscall(SYS_capset, &header, sets));
    must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0));
    for (int i = 0; i < 5; i++) before[i] = status_of(keys[i]);
    wait_for_clone();
    sabotage(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    for (int i = 0; i < 5; i++) {
        char *after = status_of(keys[i]);
        if (strcmp(before[i], after)) fail("%s%s has become %s", keys[i], before[i], after);
    }
    pass();
}
