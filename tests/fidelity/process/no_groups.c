// A process without supplementary groups gets none.
#include "../fidelity.h"
#include <grp.h>

int main(void) {
    if (setgroups(0, NULL)) skip("CAP_SETGID");
    wait_for_clone();
    same(getgroups(0, NULL), 0);
    pass();
}
