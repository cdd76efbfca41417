// A mapping of reserved huge pages.
// refused: hugetlb
#include "../fidelity.h"

int main(void) {
    void *memory = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) skip("hugetlb");
    wait_for_clone();
    pass();
}
