// With SIGCHLD ignored, the clone's children leave no zombies.
#include "../fidelity.h"

int main(void) {
    signal(SIGCHLD, SIG_IGN);
    wait_for_clone();
    sabotage(signal(SIGCHLD, SIG_DFL));
    pid_t child = must(fork());
    if (child == 0) _exit(3);
    same(waitpid(child, NULL, 0), -1);
    same(errno, ECHILD);
    pass();
}
