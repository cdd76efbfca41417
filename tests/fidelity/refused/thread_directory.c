// A thread with a current directory of its own.
// refused: CLONE_FS | directory of its own
#include "../fidelity.h"
#include <sched.h>

static int go[2];

static void *apart(void *unused) {
    char byte;
    must(unshare(CLONE_FS));
    must(chdir("/"));
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
