// An open directory that is gone.
// refused: directory
#include "../fidelity.h"

int main(void) {
    must(mkdir(scratch("gone"), 0755));
    must(open(scratch("gone"), O_RDONLY | O_DIRECTORY));
    must(rmdir(scratch("gone")));
    wait_for_clone();
    pass();
}
