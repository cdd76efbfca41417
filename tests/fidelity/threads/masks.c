// Each thread keeps its own signal mask.
#include "../fidelity.h"

static int go[2];

static void *masked(void *signal_number) {
    sigset_t mask, after;
    char byte;
    sigemptyset(&mask);
    sigaddset(&mask, (long)signal_number);
    sigaddset(&mask, SIGRTMIN + (long)signal_number);
    must_zero(pthread_sigmask(SIG_SETMASK, &mask, NULL));
    while (read(go[0], &byte, 1) != 1) {}
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < 65; number++) same(sigismember(&after, number), sigismember(&mask, number));
    return NULL;
}

int main(void) {
    pthread_t threads[5];
    must(pipe(go));
    for (long i = 0; i < 5; i++) threads[i] = spawn(masked, (void *)(i + 1));
    settle();
    wait_for_clone();
    must(write(go[1], "12345", 5));
    for (int i = 0; i < 5; i++) join(threads[i]);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    sabotage(sigaddset(&mine, SIGUSR1));
    for (int number = 1; number < 65; number++) same(sigismember(&mine, number), 0);
    pass();
}
