// /proc/self/mem reads and writes the clone's own memory, read-only pages included.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(4), copy[PAGE];
    fill(memory, 4 * PAGE, 1);
    must(mprotect(memory, 4 * PAGE, PROT_READ));
    wait_for_clone();
    int fd = must(open("/proc/self/mem", O_RDWR));
    same(pread(fd, copy, PAGE, (off_t)memory), PAGE);
    check(filled(copy, PAGE, 1));
    same(pwrite(fd, "\0", 1, (off_t)(memory + 2 * PAGE)), 1);
    same(memory[2 * PAGE], 0);
    check(filled(memory, 2 * PAGE, 1));
    pass();
}
