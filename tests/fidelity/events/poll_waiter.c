// A poll with a timeout that is interrupted by the freeze still reports what comes after.
#include "../fidelity.h"

static int fds[2];

static void *poller(void *unused) {
    struct pollfd wait = {.fd = fds[0], .events = POLLIN};
    int ready;
    while ((ready = poll(&wait, 1, 60000)) == -1 && errno == EINTR) {}
    same(ready, 1);
    same(wait.revents, POLLIN);
    return unused;
}

int main(void) {
    must(pipe(fds));
    pthread_t thread = spawn(poller, NULL);
    settle();
    wait_for_clone();
    settle();
    must(write(fds[1], "x", 1));
    join(thread);
    pass();
}
