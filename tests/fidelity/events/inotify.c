// Watches of inotify work after, under their old numbers.
#include "../fidelity.h"
#include <sys/inotify.h>

int main(void) {
    int fd = must(inotify_init1(IN_NONBLOCK));
    must(mkdir(scratch("one"), 0755)), must(mkdir(scratch("two"), 0755));
    int one = must(inotify_add_watch(fd, scratch("one"), IN_CREATE));
    int gone = must(inotify_add_watch(fd, getenv("FIDELITY_DIR"), IN_CREATE));
    int two = must(inotify_add_watch(fd, scratch("two"), IN_CREATE | IN_DELETE | IN_ONLYDIR));
    must(inotify_rm_watch(fd, gone));
    struct inotify_event ignored;
    must(read(fd, &ignored, sizeof ignored));
    wait_for_clone();
    sabotage(inotify_rm_watch(fd, two));
    char *path = own("two/new"), name[300] __attribute__((aligned(8)));
    struct inotify_event *event = (struct inotify_event *)name;
    close(must(open(path, O_CREAT | O_WRONLY, 0644)));
    do { // other clones make files there too
        check(readable(fd, 2000));
        check(read(fd, name, 40 + strlen(strrchr(path, '/'))) > 0);
        same(event->wd, two);
        check(event->mask == IN_CREATE);
    } while (strcmp(event->name, strrchr(path, '/') + 1));
    same(must(inotify_add_watch(fd, scratch("one"), IN_CREATE)), one);
    pass();
}
