// A pipe whose every slot holds one byte takes its whole content again.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    char content[200];
    must(pipe2(fds, O_NONBLOCK | O_DIRECT)); // with O_DIRECT each write takes a slot
    int count = 0;
    while (write(fds[1], "x", 1) == 1) count++;
    wait_for_clone();
    for (int i = 0; i < count; i++) same(read(fds[0], content, sizeof content), 1);
    same(read(fds[0], content, 1), -1);
    same(errno, EAGAIN);
    pass();
}
