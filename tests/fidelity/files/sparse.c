// A deleted sparse file keeps its holes: it does not take up its whole length.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "begin", 5);
    must(ftruncate(fd, 1L << 30));
    same(pwrite(fd, "end", 3, (1L << 30) - 3), 3);
    must(unlink(scratch("data")));
    wait_for_clone();
    struct stat status;
    char text[4] = "";
    must(fstat(fd, &status));
    same(status.st_size, 1L << 30);
    check(status.st_blocks < 1000);
    same(pread(fd, text, 3, (1L << 30) - 3), 3);
    check(strcmp(text, "end") == 0);
    check(lseek(fd, 0, SEEK_HOLE) < 1 << 20);
    pass();
}
