// A file of the cgroup file system.
// refused: cgroup
#include "../fidelity.h"

int main(void) {
    if (open("/sys/fs/cgroup/unified", O_RDONLY | O_DIRECTORY) == -1 && open("/sys/fs/cgroup/cgroup.procs", O_RDONLY) == -1) {
        skip("a mounted cgroup v2");
    }
    wait_for_clone();
    pass();
}
