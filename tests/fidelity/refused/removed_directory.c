// A process whose current directory is gone.
// refused: current directory
#include "../fidelity.h"

int main(void) {
    must(mkdir(scratch("gone"), 0755));
    must(chdir(scratch("gone")));
    must(rmdir(scratch("gone")));
    wait_for_clone();
    pass();
}
