// The clone has no children of its seed's or of the engine's, and can wait for its own.
#include "../fidelity.h"

int main(void) {
    wait_for_clone();
    same(waitpid(-1, NULL, WNOHANG), -1);
    same(errno, ECHILD);
    for (int i = 0; i < 20; i++) {
        pid_t child = must(fork());
        int status;
        if (child == 0) _exit(i);
        same(must(waitpid(-1, &status, 0)), child);
        same(WEXITSTATUS(status), i);
    }
    pass();
}
