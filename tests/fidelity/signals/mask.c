// The signal mask is kept.
#include "../fidelity.h"

int main(void) {
    sigset_t mask, after;
    sigemptyset(&mask);
    for (int number = 1; number < 65; number += 3) sigaddset(&mask, number);
    sigdelset(&mask, SIGKILL), sigdelset(&mask, SIGSTOP);
    must(sigprocmask(SIG_SETMASK, &mask, NULL));
    wait_for_clone();
    sabotage(sigprocmask(SIG_UNBLOCK, &mask, NULL));
    must(sigprocmask(SIG_SETMASK, NULL, &after));
    for (int number = 1; number < 65; number++) same(sigismember(&after, number), sigismember(&mask, number));
    pass();
}
