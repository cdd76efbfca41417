// An eventfd keeps its count, up to the largest.
#include "../fidelity.h"
#include <sys/eventfd.h>

int main(void) {
    int small = must(eventfd(5, 0)), large = must(eventfd(0, EFD_NONBLOCK)), zero = must(eventfd(0, EFD_NONBLOCK));
    uint64_t most = UINT64_MAX - 1, got;
    same(write(large, &most, 8), 8);
    wait_for_clone();
    sabotage(write(small, (uint64_t[]){1}, 8));
    same(write(large, (uint64_t[]){1}, 8), -1);
    same(errno, EAGAIN);
    same(read(small, &got, 8), 8);
    same(got, 5);
    same(read(large, &got, 8), 8);
    check(got == most);
    same(read(zero, &got, 8), -1);
    same(errno, EAGAIN);
    pass();
}
