// A memfd that another process has open.
// refused: memfd | also open
#include "stranger.h"

int main(void) {
    int fd = must(memfd_create("shared", 0));
    must(ftruncate(fd, PAGE));
    make_stranger(NULL);
    wait_for_clone();
    same(write(fd, "x", 1), 1);
    pass();
}
