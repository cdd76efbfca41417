// /proc/self/task lists the clone's threads under the ids that they have.
#include "../fidelity.h"

static int go[2], end[2], ids[5];

static void *parked(void *index) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    ids[(long)index] = gettid();
    while (read(end[0], &byte, 1) != 1) {}
    return NULL;
}

int main(void) {
    pthread_t threads[5];
    must(pipe(go));
    must(pipe(end));
    for (long i = 0; i < 5; i++) threads[i] = spawn(parked, (void *)i);
    settle();
    wait_for_clone();
    must(write(go[1], "12345", 5));
    for (int i = 0; i < 5; i++) {
        char path[64];
        check(eventually(__atomic_load_n(&ids[i], __ATOMIC_SEQ_CST)));
        snprintf(path, sizeof path, "/proc/self/task/%d/status", ids[i]);
        must(access(path, F_OK));
        check(ids[i] != getpid());
    }
    same(atoi(status_of("Threads:")), 6);
    must(write(end[1], "12345", 5));
    for (int i = 0; i < 5; i++) join(threads[i]);
    pass();
}
