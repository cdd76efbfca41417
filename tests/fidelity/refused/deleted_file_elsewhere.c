// A deleted file that another process has open.
// refused: also open | deleted
#include "stranger.h"

int main(void) {
    int fd = new_file("data", "content", 7);
    must(unlink(scratch("data")));
    make_stranger(NULL);
    wait_for_clone();
    same(write(fd, "x", 1), 1);
    pass();
}
