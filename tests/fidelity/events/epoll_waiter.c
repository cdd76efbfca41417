// Threads that wait in epoll_wait are woken by events after the clone; eventfd is the usual bell.
#include "../fidelity.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int epoll;

static void *waiter(void *unused) {
    struct epoll_event event;
    int count;
    while ((count = epoll_wait(epoll, &event, 1, 60000)) == -1 && errno == EINTR) {}
    same(count, 1);
    same(event.data.u32, 4);
    return unused;
}

int main(void) {
    int bell = must(eventfd(0, EFD_NONBLOCK));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 4};
    epoll = must(epoll_create1(0));
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) threads[i] = spawn(waiter, NULL);
    settle();
    wait_for_clone();
    settle();
    must(write(bell, (uint64_t[]){1}, 8));
    for (int i = 0; i < 3; i++) join(threads[i]);
    pass();
}
