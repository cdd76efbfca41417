// A thread with a table of descriptors of its own.
// refused: descriptor table
#include "../fidelity.h"
#include <sched.h>

static int go[2];

static void *apart(void *unused) {
    char byte;
    must(unshare(CLONE_FILES));
    must(dup(go[0]));
    while (read(go[0], &byte, 1) != 1) {}
    return unused;
}

int main(void) {
    must(pipe(go));
    pthread_t thread = spawn(apart, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
