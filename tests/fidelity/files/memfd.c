// A memfd keeps content, offset, size and name.
#include "../fidelity.h"

int main(void) {
    int fd = must(memfd_create("my name", 0));
    must(ftruncate(fd, 1 << 20));
    same(pwrite(fd, "content", 7, 500000), 7);
    must(lseek(fd, 500003, SEEK_SET));
    wait_for_clone();
    char text[5] = "", path[40], target[60] = "";
    same(read(fd, text, 4), 4);
    sabotage(text[0] = 'x');
    check(strcmp(text, "tent") == 0);
    struct stat status;
    must(fstat(fd, &status));
    same(status.st_size, 1 << 20);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(readlink(path, target, sizeof target - 1));
    check(strncmp(target, "/memfd:my name", 14) == 0);
    pass();
}
