// A thread that has all signals blocked drops and moves memory, as background threads of allocators do.
#include "../fidelity.h"

static unsigned char *memory;
static int go[2];

static void *purge(void *unused) {
    sigset_t all, now;
    char byte;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    same(read(go[0], &byte, 1), 1);
    must(madvise(memory, 8 * PAGE, MADV_DONTNEED)); // blocked before the clone
    must_zero(pthread_sigmask(SIG_SETMASK, NULL, &now));
    check(sigismember(&now, SIGSYS) && sigismember(&now, SIGUSR1));
    must_zero(pthread_sigmask(SIG_UNBLOCK, &all, NULL));
    must_zero(pthread_sigmask(SIG_BLOCK, &all, &now));
    check(!sigismember(&now, SIGSYS) && !sigismember(&now, SIGUSR1));
    must(madvise(memory + 8 * PAGE, 8 * PAGE, MADV_DONTNEED)); // blocked after it
    must_zero(pthread_sigmask(SIG_SETMASK, &all, &now));
    check(sigismember(&now, SIGSYS) && sigismember(&now, SIGUSR1));
    return unused;
}

int main(void) {
    memory = pages(32);
    fill(memory, 32 * PAGE, 1);
    must(pipe(go));
    pthread_t thread = spawn(purge, NULL);
    settle();
    wait_for_clone();
    must(write(go[1], "x", 1));
    join(thread);
    sabotage(memory[3] = 1);
    check(zeros(memory, 16 * PAGE));
    sigset_t all;
    sigfillset(&all);
    must(sigprocmask(SIG_SETMASK, &all, NULL));
    memory = must(mremap(memory, 32 * PAGE, 64 * PAGE, MREMAP_MAYMOVE));
    check(zeros(memory, 16 * PAGE) && !zeros(memory + 16 * PAGE, PAGE) && zeros(memory + 32 * PAGE, 32 * PAGE));
    same(syscall(SYS_rt_sigprocmask, SIG_SETMASK, 1, NULL, 8), -1);
    same(errno, EFAULT);
    same(sigprocmask(77, &all, NULL), -1);
    same(errno, EINVAL);
    pass();
}
