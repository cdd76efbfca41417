// The signal of a POSIX timer that fired before and waits, blocked, is delivered after.
#include "../fidelity.h"

int main(void) {
    timer_t timer;
    sigset_t mask;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 8};
    struct itimerspec times = {.it_value = {0, 1000000}};
    sigemptyset(&mask), sigaddset(&mask, SIGRTMIN);
    must(sigprocmask(SIG_BLOCK, &mask, NULL));
    must(timer_create(CLOCK_MONOTONIC, &event, &timer));
    must(timer_settime(timer, 0, &times, NULL));
    sleep_ms(20);
    wait_for_clone();
    siginfo_t info;
    struct timespec second = {1, 0};
    same(TEMP_FAILURE_RETRY(sigtimedwait(&mask, &info, &second)), SIGRTMIN);
    same(info.si_code, SI_TIMER);
    same(info.si_value.sival_int, 8);
    pass();
}
