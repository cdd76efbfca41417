// POSIX timers armed for half a second fire with their signal and value, on each clock.
#include "../fidelity.h"

static volatile int fired[4];

static void note(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (signal == SIGRTMIN + 1 && info->si_code == SI_TIMER) fired[info->si_value.sival_int]++;
}

int main(void) {
    static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct itimerspec times = {.it_value = {0, 500000000}};
    must(sigaction(SIGRTMIN + 1, &action, NULL));
    timer_t timers[3];
    for (int i = 0; i < 3; i++) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = i};
        must(timer_create(clocks[i], &event, &timers[i]));
        must(timer_settime(timers[i], 0, &times, NULL));
    }
    wait_for_clone();
    check(eventually(fired[0] && fired[1] && fired[2]));
    for (int i = 0; i < 3; i++) {
        same(fired[i], 1);
        must(timer_gettime(timers[i], &times));
        same(times.it_value.tv_sec + times.it_value.tv_nsec, 0);
        must(timer_delete(timers[i]));
    }
    pass();
}
