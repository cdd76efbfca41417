// A file that is only read, opened by a name that is gone while another name is left.
#include "../fidelity.h"

int main(void) {
    close(new_file("one", "content", 7));
    int fd = must(open(scratch("one"), O_RDONLY));
    must(link(scratch("one"), scratch("two")));
    must(unlink(scratch("one")));
    must(lseek(fd, 3, SEEK_SET));
    wait_for_clone();
    char text[10] = "";
    same(read(fd, text, 9), 4);
    check(strcmp(text, "tent") == 0);
    pass();
}
