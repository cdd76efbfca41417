// A descriptor of a namespace.
// refused: namespace
#include "../fidelity.h"

int main(void) {
    must(open("/proc/self/ns/net", O_RDONLY));
    wait_for_clone();
    pass();
}
