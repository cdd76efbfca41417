// Waiting signals sent with sigqueue keep their values, their order and who sent them.
#include "../fidelity.h"

int main(void) {
    sigset_t mask;
    sigfillset(&mask);
    must(sigprocmask(SIG_SETMASK, &mask, NULL));
    for (int i = 0; i < 5; i++) must(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 100 + i}));
    must(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_ptr = &mask}));
    pid_t sender = getpid();
    wait_for_clone();
    siginfo_t info;
    struct timespec now = {0, 0};
    same(sigtimedwait(&mask, &info, &now), SIGRTMIN + 1); // lower numbers first
    check(info.si_value.sival_ptr == &mask);
    for (int i = 0; i < 5; i++) {
        same(sigtimedwait(&mask, &info, &now), SIGRTMIN + 2);
        same(info.si_value.sival_int, 100 + i);
        same(info.si_code, SI_QUEUE);
        same(info.si_uid, getuid());
        same(info.si_pid, sender);
    }
    same(sigtimedwait(&mask, &info, &now), -1);
    pass();
}
