// Access mode and status flags of files are kept.
#include "../fidelity.h"

int main(void) {
    static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_NONBLOCK, O_WRONLY | O_SYNC, O_WRONLY | O_DSYNC,
                                O_RDONLY | O_NOATIME, O_RDWR | O_APPEND, O_RDONLY | O_NOFOLLOW};
    enum { COUNT = sizeof flags / sizeof *flags };
    int fds[COUNT], before[COUNT];
    close(new_file("data", "content", 7));
    for (int i = 0; i < COUNT; i++) {
        fds[i] = must(open(scratch("data"), flags[i]));
        before[i] = must(fcntl(fds[i], F_GETFL));
    }
    wait_for_clone();
    sabotage(fcntl(fds[0], F_SETFL, O_NONBLOCK));
    for (int i = 0; i < COUNT; i++) same(must(fcntl(fds[i], F_GETFL)), before[i]);
    same(write(fds[0], "x", 1), -1);
    same(read(fds[1], &before, 1), -1);
    pass();
}
