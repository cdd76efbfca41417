// A POSIX timer that is not armed stays so, and can be armed.
#include "../fidelity.h"

static volatile int fired;

static void note(int signal) { (void)signal, fired++; }

int main(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec times;
    signal(SIGUSR1, note);
    must(timer_create(CLOCK_REALTIME, &event, &timer));
    wait_for_clone();
    must(timer_gettime(timer, &times));
    same(times.it_value.tv_sec + times.it_value.tv_nsec, 0);
    times.it_value.tv_nsec = 1000;
    must(timer_settime(timer, 0, &times, NULL));
    check(eventually(fired == 1));
    pass();
}
