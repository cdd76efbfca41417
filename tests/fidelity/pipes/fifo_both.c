// A FIFO opened for reading and writing by one descriptor. All clones share it, by its path.
// clones: 1
#include "../fidelity.h"

int main(void) {
    must(mkfifo(scratch("fifo"), 0644));
    int fd = must(open(scratch("fifo"), O_RDWR));
    same(write(fd, "content", 7), 7);
    wait_for_clone();
    char text[10] = "";
    same(read(fd, text, 3), 3);
    same(write(fd, "!", 1), 1);
    same(read(fd, text, 10), 5);
    check(strcmp(text, "tent!") == 0);
    pass();
}
