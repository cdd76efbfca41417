// Memory in the region that clones need for themselves.
// refused: region
#include "../fidelity.h"

int main(void) {
    must(mmap((void *)0x100000000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    wait_for_clone();
    pass();
}
