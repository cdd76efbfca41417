// An epoll that watches files of all kinds, by numbers below and above its own.
#include "../fidelity.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

int main(void) {
    int fds[8], pair[2], channel[2], low = must(eventfd(1, 0)), epoll = must(epoll_create1(0));
    sigset_t signals;
    sigemptyset(&signals);
    must(pipe(channel));
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    fds[0] = low, fds[1] = channel[0], fds[2] = channel[1], fds[3] = pair[0], fds[4] = must(eventfd(1, 0));
    fds[5] = must(timerfd_create(CLOCK_MONOTONIC, 0)), fds[6] = must(signalfd(-1, &signals, 0));
    fds[7] = must(inotify_init1(0));
    for (int i = 0; i < 8; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u64 = i};
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event));
    }
    wait_for_clone();
    struct epoll_event events[8];
    unsigned ready = 0;
    int count = must(epoll_wait(epoll, events, 8, 0));
    for (int i = 0; i < count; i++) ready |= 1u << events[i].data.u64;
    same(ready, 0x1d); // both eventfds, the pipe's writing end, the socket
    for (int i = 0; i < 8; i++) {
        struct epoll_event event = {0};
        same(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event), -1);
        same(errno, EEXIST);
        must(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[i], NULL));
    }
    pass();
}
