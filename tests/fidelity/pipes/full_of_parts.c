// A pipe whose every slot is used but not filled takes its whole content again.
#include "../fidelity.h"

int main(void) {
    int fds[2];
    unsigned char part[3000], now[3000];
    must(pipe2(fds, O_NONBLOCK));
    int count = 0;
    for (;; count++) {
        fill(part, sizeof part, count);
        if (write(fds[1], part, sizeof part) != sizeof part) break;
    }
    wait_for_clone();
    for (int i = 0; i < count; i++) {
        same(read(fds[0], now, sizeof now), sizeof now);
        check(filled(now, sizeof now, i));
    }
    pass();
}
