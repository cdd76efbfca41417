// A thread from before the clone can fork; the child has that thread alone, and libc's handlers run.
#include "../fidelity.h"

static int go[2], prepared, done;

static void prepare(void) { prepared++; }

static void *forker(void *unused) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    check(in_child(gettid() == getpid() && prepared == 1 && malloc(100000)));
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
    while (read(go[0], &byte, 1) != 1) {}
    return unused;
}

int main(void) {
    must(pipe(go));
    must_zero(pthread_atfork(prepare, NULL, NULL));
    pthread_t thread = spawn(forker, NULL), other = spawn(forker, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "x", 1));
    check(eventually(__atomic_load_n(&done, __ATOMIC_SEQ_CST)));
    must_zero(pthread_cancel(thread));
    must_zero(pthread_cancel(other));
    join(thread);
    join(other);
    pass();
}
