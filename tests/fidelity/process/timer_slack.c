// The timer slack is kept, for each thread by itself.
#include "../fidelity.h"
#include <sys/prctl.h>

static int go[2];

static void *other(void *unused) {
    char byte;
    must(prctl(PR_SET_TIMERSLACK, 70001));
    while (read(go[0], &byte, 1) != 1) {}
    same(prctl(PR_GET_TIMERSLACK), 70001);
    return unused;
}

int main(void) {
    must(pipe(go));
    pthread_t thread = spawn(other, NULL);
    must(prctl(PR_SET_TIMERSLACK, 12345));
    settle();
    wait_for_clone();
    same(prctl(PR_GET_TIMERSLACK), 12345);
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
