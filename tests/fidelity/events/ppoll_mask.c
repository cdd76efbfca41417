// A thread in ppoll, with a signal open for its time only, gets that signal and its old mask back.
#include "../fidelity.h"

static int fds[2], handled;

static void note(int signal) { handled = signal; }

static void *poller(void *unused) {
    sigset_t none, now;
    struct pollfd wait = {.fd = fds[0], .events = POLLIN};
    sigemptyset(&none);
    int ready;
    do ready = ppoll(&wait, 1, NULL, &none);
    while (ready == -1 && !__atomic_load_n(&handled, __ATOMIC_SEQ_CST));
    same(ready, -1);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    check(sigismember(&now, SIGUSR1));
    return unused;
}

int main(void) {
    sigset_t blocked;
    sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGUSR1, note);
    must(pipe(fds));
    pthread_t thread = spawn(poller, NULL);
    settle();
    wait_for_clone();
    settle();
    must_zero(pthread_kill(thread, SIGUSR1));
    join(thread);
    same(handled, SIGUSR1);
    pass();
}
