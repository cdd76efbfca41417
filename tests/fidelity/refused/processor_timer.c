// A POSIX timer on the processor time of another thread.
// refused: timer
#include "../fidelity.h"

static int go[2];

static void *other(void *unused) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    return unused;
}

int main(void) {
    timer_t timer;
    clockid_t clock;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    must(pipe(go));
    pthread_t thread = spawn(other, NULL);
    must_zero(pthread_getcpuclockid(thread, &clock));
    must(timer_create(clock, &event, &timer));
    wait_for_clone();
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
