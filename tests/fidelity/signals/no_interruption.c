// The freeze itself interrupts neither read, futex, nor accept-like waits: they have no time limit and no handler runs.
#include "../fidelity.h"
#include <sys/socket.h>

static int fds[2], sockets[2];

static void *reader(void *unused) {
    char byte;
    same(read(fds[0], &byte, 1), 1); // no retry
    return unused;
}

static void *receiver(void *unused) {
    char byte;
    same(recv(sockets[0], &byte, 1, 0), 1);
    return unused;
}

static void *poller(void *unused) {
    struct pollfd wait = {.fd = sockets[0], .events = POLLPRI};
    same(poll(&wait, 1, -1), 1);
    return unused;
}

int main(void) {
    must(pipe(fds));
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    pthread_t threads[3] = {spawn(reader, NULL), spawn(receiver, NULL), spawn(poller, NULL)};
    settle();
    wait_for_clone();
    settle();
    must(write(fds[1], "x", 1));
    must(write(sockets[1], "x", 1));
    join(threads[0]), join(threads[1]);
    close(sockets[1]); // POLLHUP
    join(threads[2]);
    pass();
}
