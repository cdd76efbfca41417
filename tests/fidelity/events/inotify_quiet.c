// Nothing that the engine does to watched files makes an event.
#include "../fidelity.h"
#include <sys/inotify.h>

int main(void) {
    int file = new_file("data", "content", 7), fd = must(inotify_init1(IN_NONBLOCK));
    must(mkdir(scratch("sub"), 0755));
    must(inotify_add_watch(fd, scratch("sub"), IN_ALL_EVENTS & ~(IN_OPEN | IN_CLOSE | IN_ACCESS)));
    must(inotify_add_watch(fd, scratch("data"), IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF));
    wait_for_clone();
    check(!readable(fd, 50));
    same(lseek(file, 0, SEEK_END), 7);
    pass();
}
