// The end of a file comes only when all duplicates of the writing end are closed.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    char byte;
    must(pipe2(fds, O_NONBLOCK));
    int copy = must(dup(fds[1]));
    wait_for_clone();
    must(close(fds[1]));
    sabotage(close(copy));
    same(read(fds[0], &byte, 1), -1);
    same(errno, EAGAIN);
    same(write(copy, "x", 1), 1);
    must(close(copy));
    same(read(fds[0], &byte, 1), 1);
    same(read(fds[0], &byte, 1), 0);
    pass();
}
