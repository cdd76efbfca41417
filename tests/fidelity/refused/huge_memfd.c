// A memfd of reserved huge pages.
// refused: huge
#include "../fidelity.h"

int main(void) {
    if (memfd_create("huge", MFD_HUGETLB) == -1) skip("hugetlb");
    wait_for_clone();
    pass();
}
