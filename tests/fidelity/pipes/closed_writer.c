// A pipe whose writing end is closed gives its content, then the end of the file.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    char text[10] = "";
    must(pipe(fds));
    same(write(fds[1], "last", 4), 4);
    must(close(fds[1]));
    wait_for_clone();
    same(read(fds[0], text, 10), 4);
    check(strcmp(text, "last") == 0);
    same(read(fds[0], text, 10), 0);
    pass();
}
