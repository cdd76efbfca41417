// A thread from before the clone can fork; the child has that thread alone, and libc's handlers run.
#include "../fidelity.h"

static int go[2], prepared;

static void prepare(void) { prepared++; }

static void *forker(void *unused) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    check(in_child(gettid() == getpid() && prepared == 1 && malloc(100000)));
    return unused;
}

int main(void) {
    must(pipe(go));
    must_zero(pthread_atfork(prepare, NULL, NULL));
    pthread_t thread = spawn(forker, NULL), other = spawn(forker, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "x", 1));
    check(eventually(prepared == 1));
    pthread_cancel(thread), pthread_cancel(other);
    join(thread), join(other);
    pass();
}
