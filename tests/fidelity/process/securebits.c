// Secure bits and the flag to keep capabilities.
#include "../fidelity.h"
#include <linux/securebits.h>
#include <sys/prctl.h>

int main(void) {
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS)) skip("CAP_SETPCAP");
    wait_for_clone();
    same(prctl(PR_GET_SECUREBITS), SECBIT_NO_SETUID_FIXUP | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS);
    same(prctl(PR_GET_KEEPCAPS), 1);
    pass();
}
