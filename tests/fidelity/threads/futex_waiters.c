// Sixteen threads parked on one futex all wake up.
#include "../fidelity.h"
#include <linux/futex.h>

static int word, woken;

static void *waiter(void *number) {
    while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST)) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return number;
}

int main(void) {
    pthread_t threads[16];
    for (long i = 0; i < 16; i++) threads[i] = spawn(waiter, (void *)i);
    settle();
    wait_for_clone();
    sabotage(woken = 1);
    same(woken, 0);
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 100);
    for (long i = 0; i < 16; i++) same((long)join(threads[i]), i);
    same(woken, 16);
    pass();
}
