// A record lock of an open file (F_OFD_SETLK).
// refused: OFD
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "content", 7);
    struct flock lock = {.l_type = F_RDLCK, .l_len = 3};
    must(fcntl(fd, F_OFD_SETLK, &lock));
    wait_for_clone();
    pass();
}
