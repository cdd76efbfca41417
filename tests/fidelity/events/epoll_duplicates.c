// An epoll that watches a file under two of its numbers, and is itself duplicated.
#include "../fidelity.h"
#include <sys/epoll.h>

int main(void) {
    int fds[2], epoll = must(epoll_create1(0)), same_epoll = must(dup(epoll));
    must(pipe(fds));
    int copy = must(dup(fds[0]));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 1}, events[4];
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
    event.data.u32 = 2;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event));
    wait_for_clone();
    must(write(fds[1], "x", 1));
    same(epoll_wait(same_epoll, events, 4, 1000), 2);
    same(events[0].data.u32 + events[1].data.u32, 3);
    must(epoll_ctl(same_epoll, EPOLL_CTL_DEL, copy, NULL));
    same(epoll_wait(epoll, events, 4, 0), 1);
    same(events[0].data.u32, 1);
    pass();
}
