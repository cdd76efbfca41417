// The stack for signal handlers is kept and used; a handler that was running on it during the freeze returns.
#include "../fidelity.h"

static char stack[65536] __attribute__((aligned(64)));
static volatile int rounds;

static void handler(int signal) {
    char here;
    stack_t now;
    (void)signal;
    check(&here > stack && &here < stack + sizeof stack);
    if (rounds++ == 0) wait_for_clone();
    must(sigaltstack(NULL, &now));
    same(now.ss_flags, SS_ONSTACK);
}

int main(void) {
    stack_t mine = {.ss_sp = stack, .ss_size = sizeof stack}, now;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    must(sigaltstack(&mine, NULL));
    must(sigaction(SIGUSR1, &action, NULL));
    must(raise(SIGUSR1));
    must(sigaltstack(NULL, &now));
    check(now.ss_sp == stack && now.ss_size == sizeof stack && now.ss_flags == 0);
    must(raise(SIGUSR1));
    same(rounds, 2);
    pass();
}
