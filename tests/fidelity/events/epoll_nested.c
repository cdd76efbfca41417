// An epoll that watches another epoll.
#include "../fidelity.h"
#include <sys/epoll.h>

int main(void) {
    int fds[2], inner = must(epoll_create1(0)), outer = must(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 1};
    must(pipe(fds));
    must(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event));
    event.data.u32 = 2;
    must(epoll_ctl(inner, EPOLL_CTL_ADD, fds[0], &event));
    wait_for_clone();
    same(epoll_wait(outer, &event, 1, 0), 0);
    must(write(fds[1], "x", 1));
    same(epoll_wait(outer, &event, 1, 1000), 1);
    same(event.data.u32, 1);
    same(epoll_wait(inner, &event, 1, 1000), 1);
    same(event.data.u32, 2);
    pass();
}
