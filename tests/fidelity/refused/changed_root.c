// A process with another root.
// refused: root
#include "../fidelity.h"

int main(void) {
    if (chroot(getenv("FIDELITY_DIR"))) skip("CAP_SYS_CHROOT");
    must(chdir("/"));
    wait_for_clone();
    pass();
}
