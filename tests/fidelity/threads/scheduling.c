// Each thread keeps its own nice value and policy.
#include "../fidelity.h"
#include <sched.h>

static int go[2];

static void *nicer(void *value) {
    char byte;
    struct sched_param none = {0};
    must(setpriority(PRIO_PROCESS, gettid(), (long)value));
    if ((long)value == 5) must(sched_setscheduler(0, SCHED_BATCH, &none));
    while (read(go[0], &byte, 1) != 1) {}
    same(getpriority(PRIO_PROCESS, gettid()), (long)value);
    same(sched_getscheduler(0), (long)value == 5 ? SCHED_BATCH : SCHED_OTHER);
    return NULL;
}

int main(void) {
    pthread_t threads[3];
    must(pipe(go));
    for (long i = 0; i < 3; i++) threads[i] = spawn(nicer, (void *)(i + 3));
    settle();
    wait_for_clone();
    same(getpriority(PRIO_PROCESS, 0), 0);
    must(write(go[1], "123", 3));
    for (int i = 0; i < 3; i++) join(threads[i]);
    pass();
}
