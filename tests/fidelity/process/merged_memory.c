// Merging of equal pages asked for the whole process (PR_SET_MEMORY_MERGE).
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    if (prctl(67, 1, 0, 0, 0)) skip("PR_SET_MEMORY_MERGE");
    wait_for_clone();
    same(prctl(68, 0, 0, 0, 0), 1);
    pass();
}
