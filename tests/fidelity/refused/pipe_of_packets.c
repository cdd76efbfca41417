// Packets of a pipe with O_DIRECT keep their boundaries.
// refused: packets
#include "../fidelity.h"

int main(void) {
    int fds[2];
    char text[10] = "";
    must(pipe2(fds, O_DIRECT));
    same(write(fds[1], "one", 3), 3);
    same(write(fds[1], "three", 5), 5);
    wait_for_clone();
    check(fcntl(fds[1], F_GETFL) & O_DIRECT);
    same(read(fds[0], text, 10), 3);
    same(read(fds[0], text, 10), 5);
    check(strcmp(text, "three") == 0);
    pass();
}
