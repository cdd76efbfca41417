// Blocked signals that wait for the process are delivered once they are let through, and only once.
#include "../fidelity.h"

static volatile int counts[65];

static void count(int signal) { counts[signal]++; }

int main(void) {
    sigset_t mask, waiting;
    sigfillset(&mask);
    for (int number = 1; number < 65; number++) signal(number, count);
    must(sigprocmask(SIG_SETMASK, &mask, NULL));
    for (int i = 0; i < 3; i++) {
        must(kill(getpid(), SIGUSR1));
        must(kill(getpid(), SIGRTMIN + 1));
    }
    wait_for_clone();
    sabotage(kill(getpid(), SIGUSR2));
    must(sigpending(&waiting));
    for (int number = 1; number < 65; number++) same(sigismember(&waiting, number), number == SIGUSR1 || number == SIGRTMIN + 1);
    sigemptyset(&mask);
    must(sigprocmask(SIG_SETMASK, &mask, NULL));
    same(counts[SIGUSR1], 1);
    same(counts[SIGRTMIN + 1], 3);
    pass();
}
