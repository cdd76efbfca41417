// With SA_NOCLDWAIT, though SIGCHLD has no handler, the clone's children leave no zombies.
#include "../fidelity.h"

int main(void) {
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    must(sigaction(SIGCHLD, &action, NULL));
    wait_for_clone();
    pid_t child = must(fork());
    if (child == 0) _exit(3);
    same(waitpid(child, NULL, 0), -1);
    same(errno, ECHILD);
    pass();
}
