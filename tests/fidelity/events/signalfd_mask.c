// A signalfd keeps its mask: signals outside of it are not read.
#include "../fidelity.h"
#include <sys/signalfd.h>

int main(void) {
    sigset_t all, some;
    sigfillset(&all);
    must(sigprocmask(SIG_BLOCK, &all, NULL));
    sigemptyset(&some), sigaddset(&some, SIGHUP), sigaddset(&some, 64);
    int fd = must(signalfd(-1, &some, SFD_NONBLOCK | SFD_CLOEXEC)), copy = must(dup(fd));
    wait_for_clone();
    struct signalfd_siginfo info;
    must(raise(SIGUSR1));
    same(read(fd, &info, sizeof info), -1);
    must(raise(64));
    must(raise(SIGHUP));
    same(read(copy, &info, sizeof info), sizeof info);
    same(info.ssi_signo, SIGHUP);
    same(read(fd, &info, sizeof info), sizeof info);
    same(info.ssi_signo, 64);
    pass();
}
