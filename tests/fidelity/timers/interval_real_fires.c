// An alarm half a second away goes off, again and again.
#include "../fidelity.h"
#include <sys/time.h>

static volatile int count;

static void note(int signal) { (void)signal, count++; }

int main(void) {
    struct itimerval timer = {.it_value = {0, 500000}, .it_interval = {0, 10000}};
    signal(SIGALRM, note);
    must(setitimer(ITIMER_REAL, &timer, NULL));
    wait_for_clone();
    check(eventually(count >= 5));
    pass();
}
