// An alarm far away stays so, and does not go off.
#include "../fidelity.h"
#include <sys/time.h>

int main(void) {
    struct itimerval timer = {.it_value = {100, 0}, .it_interval = {5, 6}};
    must(setitimer(ITIMER_REAL, &timer, NULL));
    wait_for_clone();
    sabotage(alarm(0));
    must(getitimer(ITIMER_REAL, &timer));
    check(timer.it_value.tv_sec >= 60 && timer.it_value.tv_sec < 100);
    check(timer.it_interval.tv_sec == 5 && timer.it_interval.tv_usec == 6);
    pass();
}
