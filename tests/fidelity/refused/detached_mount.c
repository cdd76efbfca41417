// A directory of a mount that is nowhere attached (open_tree).
// refused: mount | does not lead
#include "../fidelity.h"

int main(void) {
    if (syscall(SYS_open_tree, AT_FDCWD, getenv("FIDELITY_DIR"), 1 /* OPEN_TREE_CLONE */) == -1) skip("open_tree");
    wait_for_clone();
    pass();
}
