// A set of Landlock rules.
// refused: Landlock
#include "../fidelity.h"
#include <linux/landlock.h>

int main(void) {
    struct landlock_ruleset_attr attributes = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
    if (syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0) == -1) skip("Landlock");
    wait_for_clone();
    pass();
}
