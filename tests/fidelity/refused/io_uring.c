// An io_uring.
// refused: io_uring
#include "../fidelity.h"
#include <linux/io_uring.h>

int main(void) {
    struct io_uring_params params = {0};
    if (syscall(SYS_io_uring_setup, 4, &params) == -1) skip("io_uring");
    wait_for_clone();
    pass();
}
