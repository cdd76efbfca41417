// Both ends of a pipe that another process has open as well.
// refused: pipe
#include "stranger.h"

int main(void) {
    int fds[2];
    must(pipe(fds));
    make_stranger(NULL);
    wait_for_clone();
    pass();
}
