// A full pipe is full: a write would block until something is read.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    must(pipe2(fds, O_NONBLOCK));
    size_t bytes = 0;
    while (write(fds[1], "0123456789abcdef", 16) == 16) bytes += 16;
    wait_for_clone();
    same(write(fds[1], "x", 1), -1);
    same(errno, EAGAIN);
    char *content = malloc(bytes + 1);
    same(read(fds[0], content, bytes + 1), bytes);
    for (size_t i = 0; i < bytes; i++) check(content[i] == "0123456789abcdef"[i % 16]);
    same(write(fds[1], content, bytes), bytes);
    pass();
}
