// A thread in sigsuspend wakes up by a signal that only sigsuspend lets through, and gets its mask back.
#include "../fidelity.h"

static int handled;

static void note(int signal) { __atomic_store_n(&handled, signal, __ATOMIC_SEQ_CST); }

static void *suspended(void *unused) {
    sigset_t none, now;
    sigemptyset(&none);
    while (!__atomic_load_n(&handled, __ATOMIC_SEQ_CST)) sigsuspend(&none);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    check(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
    return unused;
}

int main(void) {
    sigset_t mask;
    sigemptyset(&mask), sigaddset(&mask, SIGUSR1);
    signal(SIGUSR1, note);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    pthread_t thread = spawn(suspended, NULL);
    settle();
    wait_for_clone();
    settle();
    must_zero(pthread_kill(thread, SIGUSR1));
    join(thread);
    pass();
}
