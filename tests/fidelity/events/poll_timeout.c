// A poll and a select with timeouts end at their time, not before.
#include "../fidelity.h"
#include <sys/select.h>

static int fds[2];

static void *poller(void *unused) {
    long long began = now_ns(CLOCK_MONOTONIC);
    struct pollfd wait = {.fd = fds[0], .events = POLLIN};
    int ready = poll(&wait, 1, 500);
    check(ready == 0 ? now_ns(CLOCK_MONOTONIC) - began >= SECOND_NS / 2 : errno == EINTR);
    return unused;
}

static void *selecter(void *unused) {
    long long began = now_ns(CLOCK_MONOTONIC);
    struct timeval left = {0, 500000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    int ready = select(fds[0] + 1, &set, NULL, NULL, &left);
    check(ready == 0 ? now_ns(CLOCK_MONOTONIC) - began >= SECOND_NS / 2 : errno == EINTR);
    return unused;
}

int main(void) {
    must(pipe(fds));
    pthread_t threads[2] = {spawn(poller, NULL), spawn(selecter, NULL)};
    settle();
    wait_for_clone();
    join(threads[0]), join(threads[1]);
    pass();
}
