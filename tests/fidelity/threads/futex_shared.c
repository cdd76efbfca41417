// A thread parked on a futex that is not private, in shared memory, wakes up.
#include "../fidelity.h"
#include <linux/futex.h>

static void *waiter(void *word) {
    while (!__atomic_load_n((int *)word, __ATOMIC_SEQ_CST)) syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL);
    return NULL;
}

int main(void) {
    int *word = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pthread_t thread = spawn(waiter, word);
    settle();
    wait_for_clone();
    check(in_child((*word = 1, syscall(SYS_futex, word, FUTEX_WAKE, 1) >= 0)));
    join(thread);
    pass();
}
