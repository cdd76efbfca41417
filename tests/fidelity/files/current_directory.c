// The current directory is the same.
#include "../fidelity.h"

int main(void) {
    char before[4096], after[4096];
    must(mkdir(scratch("sub"), 0755));
    must(chdir(scratch("sub")));
    check(getcwd(before, sizeof before));
    close(must(open("here", O_CREAT | O_RDWR, 0644)));
    wait_for_clone();
    sabotage(chdir("/"));
    check(getcwd(after, sizeof after));
    check(strcmp(before, after) == 0);
    must(access("here", F_OK));
    pass();
}
