// A process with a child.
// refused: child | process tree
#include "../fidelity.h"

int main(void) {
    int fds[2];
    must(pipe(fds));
    pid_t child = must(fork());
    char byte;
    if (child == 0) {
        close(fds[1]);
        _exit(read(fds[0], &byte, 1) == 0 ? 5 : 6); // until the end
    }
    close(fds[0]);
    wait_for_clone();
    close(fds[1]);
    int status;
    same(must(waitpid(child, &status, 0)), child);
    same(WEXITSTATUS(status), 5);
    pass();
}
