// Memory that is writable and executable, once denied (PR_SET_MDWE, Linux 6.3), is denied.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    if (prctl(65, 1, 0, 0, 0)) skip("PR_SET_MDWE");
    wait_for_clone();
    same(prctl(66, 0, 0, 0, 0), 1);
    check(mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    pass();
}
