// An inotify instance with an event that nobody has read.
// refused: inotify
#include "../fidelity.h"
#include <sys/inotify.h>

int main(void) {
    int fd = must(inotify_init1(0));
    char event[400];
    must(mkdir(scratch("watched"), 0755));
    must(inotify_add_watch(fd, scratch("watched"), IN_CREATE));
    must(mkdir(scratch("watched/new"), 0755));
    wait_for_clone();
    check(read(fd, event, sizeof event) > 0);
    pass();
}
