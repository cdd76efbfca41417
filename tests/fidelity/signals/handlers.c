// Every signal has the action that it had: handler, flags and mask.
#include "../fidelity.h"

#define RESTORER 0x04000000 // libc's, and without meaning for signals that have no handler

static volatile int seen;

static void note(int signal, siginfo_t *info, void *context) {
    seen = info->si_signo == signal && context ? signal : -1;
}

int main(void) {
    for (int number = 1; number < 65; number++) {
        struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | (number % 2 ? SA_RESTART : SA_NODEFER)};
        sigaddset(&action.sa_mask, 65 - number);
        if (number % 5 == 0) action = (struct sigaction){.sa_handler = number % 10 ? SIG_IGN : SIG_DFL};
        sigaction(number, &action, NULL); // some cannot be set
    }
    struct sigaction before[65], after;
    for (int number = 1; number < 65; number++) sigaction(number, NULL, &before[number]);
    wait_for_clone();
    sabotage(signal(SIGUSR1, SIG_DFL));
    for (int number = 1; number < 65; number++) {
        if (sigaction(number, NULL, &after)) continue;
        if (after.sa_handler != before[number].sa_handler || (after.sa_flags ^ before[number].sa_flags) & ~RESTORER) {
            fail("signal %d has another handler or other flags (%x, were %x)", number, after.sa_flags, before[number].sa_flags);
        }
        for (int other = 1; other < 65; other++) {
            same(sigismember(&after.sa_mask, other), sigismember(&before[number].sa_mask, other));
        }
    }
    raise(SIGUSR2);
    same(seen, SIGUSR2);
    raise(61);
    same(seen, 61);
    pass();
}
