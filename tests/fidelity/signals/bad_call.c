// SIGSYS is the program's: it has its action, before and after, sent by itself and by a seccomp filter of its own.
#include "../fidelity.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

static volatile int seen, code;

static void answer(int signal, siginfo_t *info, void *context) {
    seen = signal, code = info->si_code;
    if (info->si_code == 1) ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 4711; // SYS_SECCOMP
}

static void other(int signal) { seen = -signal; }

int main(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO}, old;
    sigfillset(&action.sa_mask);
    must(sigaction(SIGSYS, &action, NULL));
    must(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = other, .sa_mask = action.sa_mask}, NULL));
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 1);
    wait_for_clone();
    must(raise(SIGSYS));
    same(seen, SIGSYS);
    sabotage(signal(SIGSYS, SIG_IGN));
    must(sigaction(SIGSYS, NULL, &old));
    check(old.sa_sigaction == answer && old.sa_flags & SA_SIGINFO && sigismember(&old.sa_mask, SIGUSR2));
    must(sigaction(SIGUSR1, NULL, &old));
    check(old.sa_handler == other && sigismember(&old.sa_mask, SIGSYS));
    struct sock_filter trap[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){4, trap}));
    same(syscall(SYS_getppid), 4711);
    same(code, 1);
    must(madvise(memory, 4 * PAGE, MADV_DONTNEED));
    check(zeros(memory, 4 * PAGE) && !zeros(memory + 4 * PAGE, PAGE));
    check(dies_of(SIGSYS, syscall(SYS_getppid)));
    check(in_child(signal(SIGSYS, other) == (void *)answer && raise(SIGSYS) == 0 && seen == -SIGSYS));
    signal(SIGSYS, other);
    must(raise(SIGSYS));
    same(seen, -SIGSYS);
    check(signal(SIGSYS, SIG_IGN) == other);
    must(raise(SIGSYS));
    check(dies_of(SIGSYS, raise(SIGSYS)));
    pass();
}
