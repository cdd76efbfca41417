// An eventfd that another process has open.
// refused: eventfd
#include "stranger.h"
#include <sys/eventfd.h>

int main(void) {
    int fd = must(eventfd(1, 0));
    make_stranger(NULL);
    wait_for_clone();
    uint64_t count;
    same(read(fd, &count, 8), 8);
    pass();
}
