// SS_AUTODISARM of the stack for signal handlers is kept.
#include "../fidelity.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
static char stack[65536] __attribute__((aligned(64)));
static volatile int flags_inside;

static void handler(int signal) {
    stack_t now;
    (void)signal;
    must(sigaltstack(NULL, &now));
    flags_inside = now.ss_flags;
}

int main(void) {
    stack_t mine = {.ss_sp = stack, .ss_size = sizeof stack, .ss_flags = (int)SS_AUTODISARM};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    must(sigaltstack(&mine, NULL));
    must(sigaction(SIGUSR1, &action, NULL));
    wait_for_clone();
    must(raise(SIGUSR1));
    same(flags_inside, SS_DISABLE);
    must(sigaltstack(NULL, &mine));
    same((unsigned)mine.ss_flags, SS_AUTODISARM);
    pass();
}
