// Threads in read, poll, select, epoll_wait, accept, nanosleep and sigwait go on where they were.
#include "../fidelity.h"
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

static int pipes[4][2], sockets[2];
static sigset_t awaited;

static void *in_read(void *fd) {
    char byte;
    same(TEMP_FAILURE_RETRY(read(*(int *)fd, &byte, 1)), 1);
    return NULL;
}

static void *in_poll(void *fd) {
    check(readable(*(int *)fd, -1));
    return NULL;
}

static void *in_select(void *fd) {
    fd_set set;
    int ready;
    do {
        FD_ZERO(&set);
        FD_SET(*(int *)fd, &set);
        ready = select(*(int *)fd + 1, &set, NULL, NULL, NULL);
    } while (ready == -1 && errno == EINTR);
    same(ready, 1);
    return NULL;
}

static void *in_epoll(void *fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 5};
    int epoll = must(epoll_create1(0));
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, *(int *)fd, &event));
    same(TEMP_FAILURE_RETRY(epoll_wait(epoll, &event, 1, -1)), 1);
    same(event.data.u32, 5);
    return NULL;
}

static void *in_receive(void *fd) {
    char byte;
    same(TEMP_FAILURE_RETRY(recv(*(int *)fd, &byte, 1, 0)), 1);
    return NULL;
}

static void *in_sigwait(void *unused) {
    int got;
    must_zero(sigwait(&awaited, &got));
    same(got, SIGUSR2);
    return unused;
}

static void *in_sleep(void *unused) {
    sleep_ms(300);
    return unused;
}

int main(void) {
    static void *(*const kinds[])(void *) = {in_read, in_poll, in_select, in_epoll, in_receive, in_sigwait, in_sleep};
    pthread_t threads[7];
    sigemptyset(&awaited), sigaddset(&awaited, SIGUSR2);
    must_zero(pthread_sigmask(SIG_BLOCK, &awaited, NULL));
    for (int i = 0; i < 4; i++) must(pipe(pipes[i]));
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    for (int i = 0; i < 7; i++) threads[i] = spawn(kinds[i], i < 4 ? &pipes[i][0] : &sockets[0]);
    settle();
    wait_for_clone();
    settle();
    for (int i = 0; i < 4; i++) must(write(pipes[i][1], "x", 1));
    must(write(sockets[1], "x", 1));
    must(kill(getpid(), SIGUSR2));
    for (int i = 0; i < 7; i++) join(threads[i]);
    pass();
}
