// A POSIX timer that runs a function in a thread of libc's.
#include "../fidelity.h"

static int ran;

static void run(union sigval value) { __atomic_store_n(&ran, value.sival_int, __ATOMIC_SEQ_CST); }

int main(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = run, .sigev_value.sival_int = 5};
    struct itimerspec times = {.it_value = {0, 400000000}};
    must(timer_create(CLOCK_MONOTONIC, &event, &timer));
    must(timer_settime(timer, 0, &times, NULL));
    wait_for_clone();
    check(eventually(__atomic_load_n(&ran, __ATOMIC_SEQ_CST) == 5));
    pass();
}
