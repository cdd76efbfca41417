// A private mapping of a file: written pages keep the writes, the others show the file, and the file never changes.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 9);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    fill(memory + PAGE, PAGE, 10);
    wait_for_clone();
    sabotage(memory[0] ^= 1);
    check(memcmp(memory, content, PAGE) == 0);
    check(filled(memory + PAGE, PAGE, 10));
    check(memcmp(memory + 2 * PAGE, content + 2 * PAGE, 2 * PAGE) == 0);
    fill(memory + 2 * PAGE, PAGE, 11);
    same(pread(fd, memory, 4 * PAGE, 0), 4 * PAGE);
    check(filled(memory, 4 * PAGE, 9));
    pass();
}
