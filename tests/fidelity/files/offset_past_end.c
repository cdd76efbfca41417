// An offset far behind the end of a file is kept.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "short", 5);
    must(lseek(fd, 1L << 40, SEEK_SET));
    wait_for_clone();
    char byte;
    same(lseek(fd, 0, SEEK_CUR), 1L << 40);
    same(read(fd, &byte, 1), 0);
    pass();
}
