// A directory that sends signals about changes (F_NOTIFY).
// refused: F_NOTIFY | F_SETOWN
#include "../fidelity.h"

int main(void) {
    signal(SIGIO, SIG_IGN);
    int fd = must(open(getenv("FIDELITY_DIR"), O_RDONLY | O_DIRECTORY));
    if (fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT)) skip("F_NOTIFY");
    wait_for_clone();
    pass();
}
