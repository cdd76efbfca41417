// Programs that a clone runs do as they please with their memory: they allocate much and give it back.
#include "../fidelity.h"
#include <spawn.h>

extern char **environ;

#define BLOCKS 200

static int churn(void) {
    static void *blocks[BLOCKS];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            size_t bytes = 1000 + (size_t)(i * 7919 + round) % 300000;
            blocks[i] = realloc(malloc(bytes), bytes * 2);
            memset(blocks[i], i, bytes * 2);
        }
        for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    }
    unsigned char *memory = pages(1000);
    memset(memory, 1, 1000 * PAGE);
    if (madvise(memory, 1000 * PAGE, MADV_DONTNEED)) return 3;
    sigset_t all, now;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) || sigprocmask(SIG_SETMASK, NULL, &now)) return 4;
    return zeros(memory, 1000 * PAGE) && sigismember(&now, SIGSYS) ? 42 : 5;
}

int main(int count, char **arguments) {
    if (count > 1) return churn();
    fill(pages(2000), 2000 * PAGE, 1);
    wait_for_clone();
    char *const again[] = {arguments[0], "churn", NULL};
    for (int i = 0; i < 5; i++) {
        pid_t child;
        int status;
        must_zero(posix_spawn(&child, "/proc/self/exe", NULL, NULL, again, environ));
        must(waitpid(child, &status, 0));
        check(WIFEXITED(status));
        same(WEXITSTATUS(status), 42);
    }
    same(WEXITSTATUS(system("for i in 1 2 3; do true | cat; done; exit 7")), 7);
    pass();
}
