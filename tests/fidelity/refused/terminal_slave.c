// A terminal.
// refused: tty | terminal | pts | pty
#include "../fidelity.h"

int main(void) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd == -1 || grantpt(fd) || unlockpt(fd)) skip("pseudo-terminals");
    must(open(ptsname(fd), O_RDWR | O_NOCTTY));
    close(fd);
    wait_for_clone();
    pass();
}
