// A POSIX timer that signals one thread signals that thread.
#include "../fidelity.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
static volatile pthread_t hit;

static void note(int signal) { (void)signal, hit = pthread_self(); }

static void *owner(void *timer) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event.sigev_notify_thread_id = gettid();
    must(timer_create(CLOCK_MONOTONIC, &event, timer));
    while (!hit) sleep_ms(5);
    return NULL;
}

int main(void) {
    timer_t timer;
    struct itimerspec times = {.it_value = {0, 400000000}};
    signal(SIGUSR1, note);
    pthread_t thread = spawn(owner, &timer);
    settle();
    must(timer_settime(timer, 0, &times, NULL));
    wait_for_clone();
    check(eventually(hit));
    check(pthread_equal(hit, thread));
    join(thread);
    pass();
}
