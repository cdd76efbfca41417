// A controlling terminal without an open descriptor.
// refused: tty | terminal
#include "../fidelity.h"
#include <sys/ioctl.h>

int main(void) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd == -1 || grantpt(fd) || unlockpt(fd)) skip("pseudo-terminals");
    int slave = must(open(ptsname(fd), O_RDWR | O_NOCTTY));
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0)) skip("a session of its own");
    signal(SIGHUP, SIG_IGN);
    close(slave);
    wait_for_clone();
    pass();
}
