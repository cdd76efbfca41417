// A level-triggered epoll reports what was ready before and what gets ready after, with the program's data.
#include "../fidelity.h"
#include <sys/epoll.h>

static int one_event(int epoll, struct epoll_event *event, int timeout_ms) {
    return TEMP_FAILURE_RETRY(epoll_wait(epoll, event, 1, timeout_ms));
}

int main(void) {
    int ready[2], later[2], epoll = must(epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0};
    must(pipe(ready)), must(pipe(later));
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, ready[0], &event));
    event.data.u64 = 0xfedcba9876543210;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, later[0], &event));
    must(write(ready[1], "x", 1));
    wait_for_clone();
    sabotage(epoll_ctl(epoll, EPOLL_CTL_DEL, ready[0], NULL));
    for (int i = 0; i < 3; i++) {
        same(one_event(epoll, &event, 0), 1);
        check(event.data.u64 == 0x123456789abcdef0 && event.events == EPOLLIN);
    }
    char byte;
    same(read(ready[0], &byte, 1), 1);
    same(one_event(epoll, &event, 0), 0);
    must(write(later[1], "x", 1));
    same(one_event(epoll, &event, 1000), 1);
    check(event.data.u64 == 0xfedcba9876543210);
    pass();
}
