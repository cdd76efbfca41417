// The writing end of a pipe that another process reads.
// refused: pipe
#include "stranger.h"

static int fds[2];

static void keep_reader(void) { close(fds[1]); }

int main(void) {
    must(pipe(fds));
    make_stranger(keep_reader);
    close(fds[0]);
    wait_for_clone();
    same(write(fds[1], "x", 1), 1);
    pass();
}
