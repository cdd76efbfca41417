// Secret memory whose descriptor was closed: only the mapping is left.
// refused: secret
#include "../fidelity.h"

int main(void) {
    int fd = syscall(447, 0);
    if (fd == -1) skip("memfd_secret");
    must(ftruncate(fd, PAGE));
    char *memory = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    memory[0] = 1;
    close(fd);
    wait_for_clone();
    same(memory[0], 1);
    pass();
}
