// The bases of FS (libc's thread pointer) and GS are kept, in each thread its own.
#include "../fidelity.h"
#include <asm/prctl.h>

static int go[2];

static unsigned long base(int which) {
    unsigned long value = 0;
    must(syscall(SYS_arch_prctl, which, &value));
    return value;
}

static void *parked(void *gs) {
    char byte;
    unsigned long fs = base(ARCH_GET_FS);
    must(syscall(SYS_arch_prctl, ARCH_SET_GS, gs));
    while (read(go[0], &byte, 1) != 1) {}
    check(base(ARCH_GET_FS) == fs && base(ARCH_GET_GS) == (unsigned long)gs);
    return NULL;
}

int main(void) {
    static long area[10] = {0, 77};
    unsigned long fs = base(ARCH_GET_FS), value;
    must(pipe(go));
    pthread_t thread = spawn(parked, &area[5]);
    must(syscall(SYS_arch_prctl, ARCH_SET_GS, area));
    settle();
    wait_for_clone();
    sabotage(syscall(SYS_arch_prctl, ARCH_SET_GS, area + 1));
    check(base(ARCH_GET_FS) == fs && base(ARCH_GET_GS) == (unsigned long)area);
    asm volatile("mov %%gs:8, %0" : "=r"(value));
    same(value, 77);
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
