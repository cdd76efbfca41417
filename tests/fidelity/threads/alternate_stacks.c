// Each thread keeps its own stack for signal handlers, and it is used.
#include "../fidelity.h"

static int go[2];
static __thread char stack[65536] __attribute__((aligned(64)));
static __thread volatile bool on_it;

static void handler(int signal) {
    char here;
    (void)signal;
    on_it = &here > stack && &here < stack + sizeof stack;
}

static void *user(void *unused) {
    stack_t mine = {.ss_sp = stack, .ss_size = sizeof stack}, after;
    char byte;
    must(sigaltstack(&mine, NULL));
    while (read(go[0], &byte, 1) != 1) {}
    must(sigaltstack(NULL, &after));
    check(after.ss_sp == stack && after.ss_size == sizeof stack && after.ss_flags == 0);
    raise(SIGUSR1);
    check(on_it);
    return unused;
}

int main(void) {
    pthread_t threads[4];
    must(pipe(go));
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    must(sigaction(SIGUSR1, &action, NULL));
    for (int i = 0; i < 4; i++) threads[i] = spawn(user, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "1234", 4));
    for (int i = 0; i < 4; i++) join(threads[i]);
    stack_t mine;
    must(sigaltstack(NULL, &mine));
    same(mine.ss_flags, SS_DISABLE);
    pass();
}
