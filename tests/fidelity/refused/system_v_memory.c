// System V shared memory, attached.
// refused: SysV | System V | shm
#include "../fidelity.h"
#include <sys/shm.h>

int main(void) {
    int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
    if (id == -1) skip("System V shared memory");
    char *memory = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    if (memory == (void *)-1) skip("System V shared memory");
    memory[0] = 5;
    wait_for_clone();
    same(memory[0], 5);
    pass();
}
