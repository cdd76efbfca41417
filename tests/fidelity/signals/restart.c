// A read that a handler with SA_RESTART interrupts goes on; without that flag it ends with EINTR.
#include "../fidelity.h"

static int fds[2], handled;

static void note(int signal) { (void)signal, __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST); }

static void *restarting(void *unused) {
    char byte;
    same(read(fds[0], &byte, 1), 1);
    return unused;
}

static void *failing(void *unused) {
    char byte;
    same(read(fds[0], &byte, 1), -1);
    same(errno, EINTR);
    return unused;
}

int main(void) {
    struct sigaction restart = {.sa_handler = note, .sa_flags = SA_RESTART}, none = {.sa_handler = note};
    must(pipe(fds));
    must(sigaction(SIGUSR1, &restart, NULL));
    must(sigaction(SIGUSR2, &none, NULL));
    pthread_t one = spawn(restarting, NULL), two = spawn(failing, NULL);
    settle();
    wait_for_clone();
    settle();
    must_zero(pthread_kill(one, SIGUSR1));
    must_zero(pthread_kill(two, SIGUSR2));
    join(two);
    check(eventually(__atomic_load_n(&handled, __ATOMIC_SEQ_CST) == 2));
    must(write(fds[1], "x", 1));
    join(one);
    pass();
}
