// A one-shot watch that has fired stays silent until it is armed again; one that has not fires once.
#include "../fidelity.h"
#include <sys/epoll.h>

int main(void) {
    int fired[2], armed[2], epoll = must(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 1};
    must(pipe(fired)), must(pipe(armed));
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fired[0], &event));
    must(write(fired[1], "x", 1));
    same(epoll_wait(epoll, &event, 1, 0), 1);
    event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 2};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, armed[0], &event));
    wait_for_clone();
    same(epoll_wait(epoll, &event, 1, 50), 0);
    must(write(armed[1], "x", 1));
    same(epoll_wait(epoll, &event, 1, 1000), 1);
    same(event.data.u32, 2);
    same(epoll_wait(epoll, &event, 1, 0), 0);
    event = (struct epoll_event){.events = EPOLLIN, .data.u32 = 3};
    must(epoll_ctl(epoll, EPOLL_CTL_MOD, fired[0], &event));
    same(epoll_wait(epoll, &event, 1, 0), 1);
    same(event.data.u32, 3);
    pass();
}
