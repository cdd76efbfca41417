// Every thread's restartable sequences are registered: the kernel keeps its processor number up to date.
#include "../fidelity.h"
#include <sys/rseq.h>

static int go[2];

static void verify(void) {
    struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    cpu_set_t all, one;
    check(__rseq_size > 0);
    must(sched_getaffinity(0, sizeof all, &all));
    for (int cpu = 0; cpu < 64; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        must(sched_setaffinity(0, sizeof one, &one));
        same(__atomic_load_n(&area->cpu_id, __ATOMIC_RELAXED), cpu);
    }
    must(sched_setaffinity(0, sizeof all, &all));
    same(syscall(SYS_rseq, area, 32, 0, RSEQ_SIG), -1);
    same(errno, EBUSY); // the kernel's word for "registered, and just so"
}

static void *parked(void *unused) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    verify();
    return unused;
}

int main(void) {
    pthread_t threads[3];
    if (!__rseq_size) skip("restartable sequences");
    verify();
    must(pipe(go));
    for (int i = 0; i < 3; i++) threads[i] = spawn(parked, NULL);
    settle();
    wait_for_clone();
    verify();
    must(write(go[1], "123", 3));
    for (int i = 0; i < 3; i++) join(threads[i]);
    pass();
}
