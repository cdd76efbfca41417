// After the clone the main thread may end before another one, which then ends the process.
#include "../fidelity.h"

static int go[2];

static void *last(void *unused) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    settle();
    pass();
    return unused;
}

int main(void) {
    must(pipe(go));
    spawn(last, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "x", 1));
    pthread_exit(NULL);
}
