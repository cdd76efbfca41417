// A child that another thread than the main one made.
// refused: child | process tree
#include "../fidelity.h"

static int go[2];
static pid_t child;

static void *parent(void *unused) {
    char byte;
    child = must(fork());
    if (child == 0) {
        close(go[1]);
        while (read(go[0], &byte, 1) > 0) {}
        _exit(0);
    }
    while (read(go[0], &byte, 1) != 1) {}
    return unused;
}

int main(void) {
    must(pipe(go));
    pthread_t thread = spawn(parent, NULL);
    settle();
    wait_for_clone();
    kill(child, SIGKILL);
    must(write(go[1], "xx", 2));
    join(thread);
    must(waitpid(child, NULL, 0));
    pass();
}
