// After mlockall(MCL_FUTURE) mappings made later are locked.
#include "../fidelity.h"

int main(void) {
    must(mlockall(MCL_FUTURE));
    wait_for_clone();
    check(vm_flag(pages(8), "lo"));
    pass();
}
