// A new descriptor gets the lowest free number: nothing of the engine is left open.
#include "../fidelity.h"

int main(void) {
    int first = must(dup(0));
    must(dup(0));
    must(close(first));
    wait_for_clone();
    sabotage(dup(0));
    same(must(dup(0)), first);
    same(must(dup(0)), first + 2);
    for (int fd = first + 3; fd < 1024; fd++) same(fcntl(fd, F_GETFD), -1);
    pass();
}
