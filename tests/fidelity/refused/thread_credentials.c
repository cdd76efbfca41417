// A thread that runs as another user than the others.
// refused: thread | credentials | user
#include "../fidelity.h"

static int go[2];

static void *apart(void *unused) {
    char byte;
    if (syscall(SYS_setresuid, -1, 1234, -1)) fail("setresuid"); // libc's would change all threads
    while (read(go[0], &byte, 1) != 1) {}
    same(geteuid(), 1234);
    return unused;
}

int main(void) {
    if (geteuid()) skip("root");
    must(pipe(go));
    pthread_t thread = spawn(apart, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
