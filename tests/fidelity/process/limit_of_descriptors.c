// A low limit of descriptors, with one open above it, is in force.
#include "../fidelity.h"

int main(void) {
    must(dup2(0, 100));
    must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){20, 50}));
    wait_for_clone();
    must(fcntl(100, F_GETFD));
    int count = 0;
    while (dup(0) != -1) count++;
    same(errno, EMFILE);
    same(count, 17);
    pass();
}
