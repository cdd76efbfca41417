// A FIFO opened at both ends, with content. All clones share it, by its path.
// clones: 1
#include "../fidelity.h"

int main(void) {
    must(mkfifo(scratch("fifo"), 0644));
    int reader = must(open(scratch("fifo"), O_RDONLY | O_NONBLOCK)), writer = must(open(scratch("fifo"), O_WRONLY));
    same(write(writer, "content", 7), 7);
    wait_for_clone();
    char text[10] = "";
    same(read(reader, text, 10), 7);
    check(strcmp(text, "content") == 0);
    same(read(reader, text, 10), -1);
    same(errno, EAGAIN);
    same(write(writer, "more", 4), 4);
    same(read(reader, text, 10), 4);
    close(writer);
    same(read(reader, text, 10), 0);
    pass();
}
