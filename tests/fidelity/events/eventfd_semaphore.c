// An eventfd with EFD_SEMAPHORE gives one at a time.
#include "../fidelity.h"
#include <sys/eventfd.h>

int main(void) {
    int fd = must(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
    uint64_t got;
    wait_for_clone();
    same(fcntl(fd, F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 3; i++) {
        same(read(fd, &got, 8), 8);
        same(got, 1);
    }
    same(read(fd, &got, 8), -1);
    pass();
}
