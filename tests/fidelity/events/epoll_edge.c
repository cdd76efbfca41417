// An edge-triggered epoll reports each change once; what was ready before may be reported once more.
#include "../fidelity.h"
#include <sys/epoll.h>

int main(void) {
    int fds[2], epoll = must(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = 9};
    char buffer[10];
    must(pipe2(fds, O_NONBLOCK));
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
    must(write(fds[1], "a", 1));
    same(epoll_wait(epoll, &event, 1, 0), 1);
    wait_for_clone();
    check(epoll_wait(epoll, &event, 1, 0) <= 1);
    same(epoll_wait(epoll, &event, 1, 0), 0);
    same(read(fds[0], buffer, 10), 1);
    must(write(fds[1], "bc", 2));
    same(epoll_wait(epoll, &event, 1, 1000), 1);
    same(event.data.u32, 9);
    same(epoll_wait(epoll, &event, 1, 0), 0);
    same(read(fds[0], buffer, 10), 2);
    pass();
}
