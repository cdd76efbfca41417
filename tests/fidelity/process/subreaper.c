// A child subreaper stays one: an orphaned grandchild becomes its child.
#include "../fidelity.h"
#include <sys/prctl.h>

int main(void) {
    must(prctl(PR_SET_CHILD_SUBREAPER, 1));
    wait_for_clone();
    int is = 0, status;
    must(prctl(PR_GET_CHILD_SUBREAPER, &is));
    same(is, 1);
    pid_t child = must(fork());
    if (child == 0) {
        pid_t self = getpid(), clone = getppid();
        if (fork() == 0) {
            while (getppid() == self) sleep_ms(1);
            _exit(getppid() == clone ? 7 : 8);
        }
        _exit(0);
    }
    same(must(waitpid(child, &status, 0)), child);
    must(waitpid(-1, &status, 0));
    same(WEXITSTATUS(status), 7);
    pass();
}
