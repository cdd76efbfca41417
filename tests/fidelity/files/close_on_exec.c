// Which descriptors are closed on exec is kept, for each by itself.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "content", 7), copy = must(dup(fd)), kept = must(fcntl(fd, F_DUPFD, 50));
    wait_for_clone();
    sabotage(fcntl(copy, F_SETFD, FD_CLOEXEC));
    same(fcntl(fd, F_GETFD), FD_CLOEXEC);
    same(fcntl(copy, F_GETFD), 0);
    same(fcntl(kept, F_GETFD), 0);
    char *script;
    must(asprintf(&script, "test ! -e /proc/self/fd/%d -a -e /proc/self/fd/%d -a -e /proc/self/fd/%d", fd, copy, kept));
    same(system(script), 0);
    pass();
}
