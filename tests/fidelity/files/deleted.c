// A deleted file keeps its content and its size, can be written, and belongs to each clone alone.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "0123456789", 10);
    must(unlink(scratch("data")));
    must(lseek(fd, 4, SEEK_SET));
    wait_for_clone();
    char text[20] = "";
    struct stat status;
    must(fstat(fd, &status));
    same(status.st_size, 10);
    same(status.st_nlink, 0);
    same(read(fd, text, 20), 6);
    check(strcmp(text, "456789") == 0);
    same(write(fd, "more", 4), 4);
    settle(); // another clone's write would show
    must(fstat(fd, &status));
    sabotage(status.st_size++);
    same(status.st_size, 14);
    pass();
}
