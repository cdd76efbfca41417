// An event loop: a thread in epoll_wait is woken by a timerfd that was armed before.
#include "../fidelity.h"
#include <sys/epoll.h>
#include <sys/timerfd.h>

static int epoll;

static void *loop(void *unused) {
    struct epoll_event event;
    int count;
    while ((count = epoll_wait(epoll, &event, 1, -1)) == -1 && errno == EINTR) {}
    same(count, 1);
    return unused;
}

int main(void) {
    int fd = must(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec timer = {.it_value = {0, 400000000}};
    struct epoll_event event = {.events = EPOLLIN};
    epoll = must(epoll_create1(0));
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    must(timerfd_settime(fd, 0, &timer, NULL));
    pthread_t thread = spawn(loop, NULL);
    settle();
    wait_for_clone();
    join(thread);
    pass();
}
