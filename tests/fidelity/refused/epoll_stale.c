// An epoll that watches a file whose descriptor was closed, while a duplicate keeps the file open.
// refused: epoll
#include "../fidelity.h"
#include <sys/epoll.h>

int main(void) {
    int fds[2], epoll = must(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    must(pipe(fds));
    int watched = must(dup(fds[0]));
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, watched, &event));
    must(close(watched));
    wait_for_clone();
    must(write(fds[1], "x", 1));
    same(epoll_wait(epoll, &event, 1, 0), 1);
    pass();
}
