// Threads that were computing, not waiting, go on computing.
#include "../fidelity.h"

static volatile bool stop;

static void *compute(void *seed) {
    unsigned long a = (unsigned long)seed, b = a, steps = 0;
    while (!stop || steps < 1000) {
        a = a * 6364136223846793005 + 1442695040888963407; // two ways that must agree
        b = b * 6364136223846793005 + 1442695040888963407;
        check(a == b);
        steps++;
    }
    return (void *)steps;
}

int main(void) {
    pthread_t threads[2];
    for (long i = 0; i < 2; i++) threads[i] = spawn(compute, (void *)(i + 1));
    settle();
    wait_for_clone();
    stop = true;
    for (int i = 0; i < 2; i++) check(join(threads[i]));
    pass();
}
