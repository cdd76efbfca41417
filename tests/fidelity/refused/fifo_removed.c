// A FIFO whose name is gone.
// refused: FIFO
#include "../fidelity.h"

int main(void) {
    must(mkfifo(scratch("fifo"), 0644));
    int fd = must(open(scratch("fifo"), O_RDWR));
    must(unlink(scratch("fifo")));
    wait_for_clone();
    same(write(fd, "x", 1), 1);
    pass();
}
