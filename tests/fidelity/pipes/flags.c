// O_NONBLOCK is kept for each end by itself.
#include "../fidelity.h"

int main(void) {
    int one[2], two[2];
    must(pipe(one));
    must(pipe2(two, O_CLOEXEC));
    must(fcntl(one[0], F_SETFL, O_NONBLOCK));
    must(fcntl(two[1], F_SETFL, O_NONBLOCK));
    wait_for_clone();
    sabotage(fcntl(one[0], F_SETFL, 0));
    check(fcntl(one[0], F_GETFL) == O_NONBLOCK && fcntl(one[1], F_GETFL) == O_WRONLY);
    check(fcntl(two[0], F_GETFL) == 0 && fcntl(two[1], F_GETFL) == (O_WRONLY | O_NONBLOCK));
    same(fcntl(one[0], F_GETFD), 0);
    same(fcntl(two[0], F_GETFD), FD_CLOEXEC);
    char byte;
    same(read(one[0], &byte, 1), -1);
    same(errno, EAGAIN);
    pass();
}
