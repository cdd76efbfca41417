// What is in a pipe can be read after, in order, and then the pipe works on.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    unsigned char content[10000], now[10000];
    must(pipe(fds));
    fill(content, sizeof content, 1);
    for (int i = 0; i < 10; i++) same(write(fds[1], content + i * 1000, 1000), 1000);
    wait_for_clone();
    sabotage(read(fds[0], now, 1));
    same(read(fds[0], now, sizeof now), sizeof now);
    check(filled(now, sizeof now, 1));
    check(!readable(fds[0], 0));
    same(write(fds[1], "more", 4), 4);
    same(read(fds[0], now, 10), 4);
    pass();
}
