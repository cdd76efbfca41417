// A pipe keeps its capacity, larger or smaller than usual.
#include "../fidelity.h"

int main(void) {
    int large[2], small[2];
    must(pipe(large));
    must(pipe(small));
    must(fcntl(large[0], F_SETPIPE_SZ, 1 << 20));
    must(fcntl(small[0], F_SETPIPE_SZ, PAGE));
    unsigned char *content = malloc(1 << 20);
    fill(content, 1 << 20, 1);
    same(write(large[1], content, 1 << 20), 1 << 20);
    wait_for_clone();
    same(fcntl(large[0], F_GETPIPE_SZ), 1 << 20);
    same(fcntl(small[1], F_GETPIPE_SZ), PAGE);
    memset(content, 0, 1 << 20);
    for (size_t at = 0; at < 1 << 20;) at += must(read(large[0], content + at, (1 << 20) - at));
    check(filled(content, 1 << 20, 1));
    pass();
}
