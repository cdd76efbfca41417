// What pthread_once has done is not done again; what it has not done is done once.
#include "../fidelity.h"

static pthread_once_t done = PTHREAD_ONCE_INIT, open_ = PTHREAD_ONCE_INIT;
static int first, second;

static void count_first(void) { first++; }
static void count_second(void) { second++; }

static void *both(void *unused) {
    pthread_once(&done, count_first);
    pthread_once(&open_, count_second);
    return unused;
}

int main(void) {
    pthread_once(&done, count_first);
    wait_for_clone();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = spawn(both, NULL);
    for (int i = 0; i < 4; i++) join(threads[i]);
    same(first, 1);
    same(second, 1);
    pass();
}
