// Five hundred waiting real-time signals all arrive.
#include "../fidelity.h"

int main(void) {
    sigset_t mask;
    sigemptyset(&mask), sigaddset(&mask, SIGRTMIN + 5);
    must(sigprocmask(SIG_SETMASK, &mask, NULL));
    for (int i = 0; i < 500; i++) must(sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = i}));
    wait_for_clone();
    siginfo_t info;
    for (int i = 0; i < 500; i++) {
        same(sigwaitinfo(&mask, &info), SIGRTMIN + 5);
        same(info.si_int, i);
    }
    pass();
}
