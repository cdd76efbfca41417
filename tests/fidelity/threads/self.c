// pthread_self is the same, and pthread_kill reaches the thread that it names.
#include "../fidelity.h"

static volatile pthread_t hit;
static int go[2];

static void note(int signal) { (void)signal, hit = pthread_self(); }

static void *target(void *unused) {
    pthread_t before = pthread_self();
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    check(pthread_equal(before, pthread_self()));
    return unused;
}

int main(void) {
    pthread_t threads[4], self = pthread_self();
    must(pipe(go));
    struct sigaction action = {.sa_handler = note};
    must(sigaction(SIGUSR1, &action, NULL));
    for (int i = 0; i < 4; i++) threads[i] = spawn(target, NULL);
    settle();
    wait_for_clone();
    check(pthread_equal(self, pthread_self()));
    for (int i = 0; i < 4; i++) {
        hit = 0;
        must_zero(pthread_kill(threads[i], SIGUSR1));
        check(eventually(hit));
        check(pthread_equal(hit, threads[i]));
    }
    must(write(go[1], "1234", 4));
    for (int i = 0; i < 4; i++) join(threads[i]);
    pass();
}
