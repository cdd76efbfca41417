// A child that has ended and was not waited for.
// refused: child | zombie | process tree
#include "../fidelity.h"

int main(void) {
    pid_t child = must(fork());
    int status;
    if (child == 0) _exit(3);
    siginfo_t info;
    must(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    wait_for_clone();
    same(must(waitpid(child, &status, 0)), child);
    same(WEXITSTATUS(status), 3);
    pass();
}
