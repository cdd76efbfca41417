// SIGCHLD of the clone's children comes with their id and exit code.
#include "../fidelity.h"

static volatile siginfo_t got;

static void note(int signal, siginfo_t *info, void *context) { (void)signal, (void)context, got = *info; }

int main(void) {
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_NOCLDSTOP | SA_RESTART};
    must(sigaction(SIGCHLD, &action, NULL));
    wait_for_clone();
    pid_t child = must(fork());
    if (child == 0) _exit(42);
    check(eventually(got.si_pid == child));
    same(got.si_code, CLD_EXITED);
    same(got.si_status, 42);
    same(must(waitpid(child, NULL, 0)), child);
    pass();
}
