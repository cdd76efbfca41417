// A file with a lock (flock).
// refused: flock
#include "../fidelity.h"
#include <sys/file.h>

int main(void) {
    int fd = new_file("data", "content", 7);
    must(flock(fd, LOCK_EX));
    wait_for_clone();
    same(flock(must(open(scratch("data"), O_RDONLY)), LOCK_SH | LOCK_NB), -1);
    pass();
}
