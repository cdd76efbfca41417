// The rings of an io_uring whose descriptor was closed.
// refused: io_uring | device | special
#include "../fidelity.h"
#include <linux/io_uring.h>

int main(void) {
    struct io_uring_params params = {0};
    int fd = syscall(SYS_io_uring_setup, 4, &params);
    if (fd == -1) skip("io_uring");
    must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING));
    close(fd);
    wait_for_clone();
    pass();
}
