// A wait with a long timeout neither ends early nor misses its wake-up; it may be interrupted.
#include "../fidelity.h"
#include <linux/futex.h>

static int word;

static void *waiter(void *unused) {
    struct timespec minute = {60, 0};
    while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST)) {
        if (syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &minute) == -1) check(errno == EAGAIN || errno == EINTR);
    }
    return unused;
}

int main(void) {
    pthread_t thread = spawn(waiter, NULL);
    settle();
    wait_for_clone();
    settle();
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
    join(thread);
    pass();
}
