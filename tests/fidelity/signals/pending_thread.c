// A blocked signal that waits for one thread is delivered to that thread.
#include "../fidelity.h"

static int go[2];
static volatile pthread_t hit;

static void note(int signal) { (void)signal, hit = pthread_self(); }

static void *target(void *unused) {
    sigset_t mask;
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    check(!hit);
    sigemptyset(&mask);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    check(hit && pthread_equal(hit, pthread_self()));
    return unused;
}

int main(void) {
    sigset_t mask;
    must(pipe(go));
    signal(SIGUSR1, note);
    sigemptyset(&mask), sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    pthread_t thread = spawn(target, NULL);
    settle();
    must_zero(pthread_kill(thread, SIGUSR1));
    wait_for_clone();
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    check(!hit); // it is not the main thread's
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
