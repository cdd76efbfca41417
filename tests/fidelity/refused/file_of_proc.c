// A file of /proc about the process itself: of a clone it would tell about a dead one.
// refused: /proc
#include "../fidelity.h"

int main(void) {
    must(open("/proc/self/status", O_RDONLY));
    wait_for_clone();
    pass();
}
