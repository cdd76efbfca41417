// A file opened by a name that is gone, while another name is left.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("one", "content", 7);
    must(link(scratch("one"), scratch("two")));
    must(unlink(scratch("one")));
    must(lseek(fd, 3, SEEK_SET));
    wait_for_clone();
    char text[10] = "";
    same(read(fd, text, 9), 4);
    check(strcmp(text, "tent") == 0);
    pass();
}
