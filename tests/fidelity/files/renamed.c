// A file that was renamed while it was open.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("old", "content", 7);
    must(rename(scratch("old"), scratch("new")));
    must(lseek(fd, 3, SEEK_SET));
    wait_for_clone();
    char text[10] = "";
    same(read(fd, text, 9), 4);
    check(strcmp(text, "tent") == 0);
    struct stat open_, named;
    must(fstat(fd, &open_));
    must(stat(scratch("new"), &named));
    same(open_.st_ino, named.st_ino);
    pass();
}
