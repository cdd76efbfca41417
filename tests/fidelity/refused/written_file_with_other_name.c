// A file that may be written, opened by a name that is gone while another name is left.
// refused: name
#include "../fidelity.h"

int main(void) {
    int fd = new_file("one", "content", 7);
    must(link(scratch("one"), scratch("two")));
    must(unlink(scratch("one")));
    wait_for_clone();
    same(write(fd, "x", 1), 1);
    pass();
}
