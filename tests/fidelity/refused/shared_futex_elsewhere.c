// A futex in shared memory on which another process waits.
// refused: shared
#include "stranger.h"
#include <semaphore.h>

static sem_t *semaphores;

static void answer(void) {
    if (fork()) return; // a stranger's child waits, for the stranger itself says when it is ready
    sem_wait(&semaphores[0]);
    sem_post(&semaphores[1]);
    _exit(0);
}

int main(void) {
    semaphores = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    sem_init(&semaphores[0], 1, 0);
    sem_init(&semaphores[1], 1, 0);
    make_stranger(answer);
    settle();
    wait_for_clone();
    sem_post(&semaphores[0]);
    while (sem_wait(&semaphores[1]) == -1) same(errno, EINTR);
    pass();
}
