// A FIFO that another process reads.
// refused: FIFO | pipe
#include "stranger.h"

static int reader;

int main(void) {
    must(mkfifo(scratch("fifo"), 0644));
    reader = must(open(scratch("fifo"), O_RDONLY | O_NONBLOCK));
    make_stranger(NULL);
    int writer = must(open(scratch("fifo"), O_WRONLY));
    close(reader);
    wait_for_clone();
    same(write(writer, "x", 1), 1);
    pass();
}
