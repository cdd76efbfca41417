// A thread that waits since before the clone can be cancelled, and its cleanup runs.
#include "../fidelity.h"

static int never[2], cleaned;

static void clean(void *value) { cleaned = (long)value; }

static void *endless(void *unused) {
    char byte;
    pthread_cleanup_push(clean, (void *)5);
    while (read(never[0], &byte, 1) != 1) {}
    pthread_cleanup_pop(0);
    return unused;
}

int main(void) {
    must(pipe(never));
    pthread_t thread = spawn(endless, NULL);
    settle();
    wait_for_clone();
    must_zero(pthread_cancel(thread));
    check(join(thread) == PTHREAD_CANCELED);
    same(cleaned, 5);
    pass();
}
