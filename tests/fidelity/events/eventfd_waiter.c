// A thread that waits for an eventfd gets what is written after; another one that waits in poll, too.
#include "../fidelity.h"
#include <sys/eventfd.h>

static int fds[2];

static void *reader(void *unused) {
    uint64_t got = 0;
    same(TEMP_FAILURE_RETRY(read(fds[0], &got, 8)), 8);
    same(got, 7);
    return unused;
}

static void *poller(void *unused) {
    check(readable(fds[1], -1));
    return unused;
}

int main(void) {
    for (int i = 0; i < 2; i++) fds[i] = must(eventfd(0, 0));
    pthread_t threads[2] = {spawn(reader, NULL), spawn(poller, NULL)};
    settle();
    wait_for_clone();
    for (int i = 0; i < 2; i++) same(write(fds[i], (uint64_t[]){7}, 8), 8);
    join(threads[0]), join(threads[1]);
    pass();
}
