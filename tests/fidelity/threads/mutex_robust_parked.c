// A thread that exists since before the clone, takes a robust mutex after it and ends, hands it over with EOWNERDEAD.
#include "../fidelity.h"

static pthread_mutex_t mutex;
static int pipe_fds[2];

static void *holder(void *unused) {
    char byte;
    while (read(pipe_fds[0], &byte, 1) != 1) {}
    must_zero(pthread_mutex_lock(&mutex));
    return unused;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attributes);
    must(pipe(pipe_fds));
    pthread_t thread = spawn(holder, NULL);
    settle();
    wait_for_clone();
    must(write(pipe_fds[1], "x", 1));
    join(thread);
    same(pthread_mutex_lock(&mutex), EOWNERDEAD);
    pass();
}
