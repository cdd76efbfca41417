// The master of a pseudo-terminal.
// refused: tty | terminal | ptmx | pty
#include "../fidelity.h"

int main(void) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd == -1) skip("pseudo-terminals");
    wait_for_clone();
    pass();
}
