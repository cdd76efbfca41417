// A child's parent is the clone, and signals sent to the clone's own id reach it.
#include "../fidelity.h"

static volatile int got;

static void note(int signal) { got = signal; }

int main(void) {
    signal(SIGUSR1, note);
    wait_for_clone();
    pid_t self = getpid();
    check(in_child(getppid() == self && getpid() != self && kill(self, SIGUSR1) == 0));
    check(eventually(got == SIGUSR1));
    got = 0;
    must(kill(getpid(), SIGUSR1));
    same(got, SIGUSR1);
    got = 0;
    must(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
    same(got, SIGUSR1);
    pass();
}
