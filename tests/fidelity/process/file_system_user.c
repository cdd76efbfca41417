// A file system user that differs from the effective one is kept.
#include "../fidelity.h"
#include <sys/fsuid.h>

int main(void) {
    if (geteuid()) skip("root");
    setfsgid(1001);
    setfsuid(2001);
    wait_for_clone();
    same(setfsuid(-1), 2001);
    same(setfsgid(-1), 1001);
    same(geteuid(), 0);
    pass();
}
