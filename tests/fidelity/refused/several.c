// Of a process with three things that cannot be carried, the message names each.
// refused: io_uring
// refused: TCP
// refused: flock
#include "../fidelity.h"
#include <linux/io_uring.h>
#include <sys/file.h>
#include <sys/socket.h>

int main(void) {
    struct io_uring_params params = {0};
    if (syscall(SYS_io_uring_setup, 4, &params) == -1) skip("io_uring");
    must(socket(AF_INET, SOCK_STREAM, 0));
    must(flock(new_file("data", "content", 7), LOCK_EX));
    wait_for_clone();
    pass();
}
