// The name of the process (PR_SET_NAME), with bytes that look like the syntax of /proc/pid/stat.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    char name[16] = "";
    must(prctl(PR_SET_NAME, ") R 1 (x\n y", 0, 0, 0));
    wait_for_clone();
    sabotage(prctl(PR_SET_NAME, "other", 0, 0, 0));
    must(prctl(PR_GET_NAME, name, 0, 0, 0));
    check(strcmp(name, ") R 1 (x\n y") == 0);
    pass();
}
