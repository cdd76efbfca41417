// A record lock (F_SETLK), of the process.
// refused: POSIX
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "content", 7);
    struct flock lock = {.l_type = F_WRLCK, .l_len = 3};
    must(fcntl(fd, F_SETLK, &lock));
    wait_for_clone();
    check(in_child(fcntl(fd, F_SETLK, &lock) == -1));
    pass();
}
