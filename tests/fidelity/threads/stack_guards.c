// The guard page below a thread's stack still catches an overflow; the stack's content is kept.
#include "../fidelity.h"

static int go[2];

static void *user(void *unused) {
    unsigned char held[100000];
    pthread_attr_t attributes;
    void *lowest;
    size_t bytes, guard_bytes;
    char byte;
    fill(held, sizeof held, 1);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &lowest, &bytes);
    pthread_attr_getguardsize(&attributes, &guard_bytes);
    while (read(go[0], &byte, 1) != 1) {}
    check(filled(held, sizeof held, 1));
    check(guard_bytes >= PAGE);
    check(write_faults((char *)lowest - 1));
    check(!write_faults((char *)lowest));
    return unused;
}

int main(void) {
    must(pipe(go));
    pthread_t thread = spawn(user, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
