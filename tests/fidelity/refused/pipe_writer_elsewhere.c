// The reading end of a pipe that another process writes.
// refused: pipe
#include "stranger.h"

static int fds[2];

static void keep_writer(void) { close(fds[0]); }

int main(void) {
    must(pipe2(fds, O_NONBLOCK));
    make_stranger(keep_writer);
    close(fds[1]);
    wait_for_clone();
    char byte;
    same(read(fds[0], &byte, 1), -1);
    same(errno, EAGAIN);
    pass();
}
