// Duplicates share one offset and status flags; a second open does not.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "0123456789", 10), copy = must(dup(fd)), far = must(dup2(fd, 200));
    int apart = must(open(scratch("data"), O_RDONLY));
    wait_for_clone();
    must(lseek(fd, 5, SEEK_SET));
    sabotage(copy = apart);
    same(lseek(copy, 0, SEEK_CUR), 5);
    same(lseek(far, 0, SEEK_CUR), 5);
    same(lseek(apart, 0, SEEK_CUR), 0);
    must(fcntl(copy, F_SETFL, O_NONBLOCK));
    check(fcntl(far, F_GETFL) & O_NONBLOCK);
    check(!(fcntl(apart, F_GETFL) & O_NONBLOCK));
    pass();
}
