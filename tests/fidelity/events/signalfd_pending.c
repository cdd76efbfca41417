// A signal that waits in a signalfd can be read after, with its value.
#include "../fidelity.h"
#include <sys/signalfd.h>

int main(void) {
    sigset_t mask;
    sigemptyset(&mask), sigaddset(&mask, SIGUSR1), sigaddset(&mask, SIGRTMIN + 3);
    must(sigprocmask(SIG_BLOCK, &mask, NULL));
    int fd = must(signalfd(-1, &mask, SFD_NONBLOCK));
    must(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 77}));
    wait_for_clone();
    struct signalfd_siginfo info;
    sabotage(read(fd, &info, sizeof info));
    check(readable(fd, 0));
    same(read(fd, &info, sizeof info), sizeof info);
    same(info.ssi_signo, SIGRTMIN + 3);
    same(info.ssi_int, 77);
    same(info.ssi_code, SI_QUEUE);
    same(read(fd, &info, sizeof info), -1);
    same(errno, EAGAIN);
    must(raise(SIGUSR1));
    same(read(fd, &info, sizeof info), sizeof info);
    same(info.ssi_signo, SIGUSR1);
    pass();
}
