// A process without any capability gets none, and still works.
#include "../fidelity.h"
#include <linux/capability.h>

int main(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {0};
    must(syscall(SYS_capset, &header, sets));
    wait_for_clone();
    check(strtoull(status_of("CapEff:"), NULL, 16) == 0);
    check(strtoull(status_of("CapPrm:"), NULL, 16) == 0);
    same(nice(-1), -1);
    check(in_child(getppid() > 0));
    pass();
}
