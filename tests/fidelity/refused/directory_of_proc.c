// The directory of the process in /proc.
// refused: /proc
#include "../fidelity.h"

int main(void) {
    must(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
    wait_for_clone();
    pass();
}
