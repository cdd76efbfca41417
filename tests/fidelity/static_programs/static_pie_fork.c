// A static program at a random address: children, pipes, signals.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    char text[10] = "";
    must(pipe(fds));
    must(write(fds[1], "before", 6));
    wait_for_clone();
    check(in_child(write(fds[1], "after", 5) == 5));
    same(read(fds[0], text, 6), 6);
    check(strcmp(text, "before") == 0);
    same(read(fds[0], text, 10), 5);
    check(dies_of(SIGTERM, raise(SIGTERM)));
    pass();
}
