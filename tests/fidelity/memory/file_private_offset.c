// A private mapping that begins in the middle of its file, cut into two by an unmapping.
#include "../fidelity.h"

int main(void) {
    unsigned char content[8 * PAGE];
    fill(content, sizeof content, 4);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 2 * PAGE));
    close(fd);
    must(munmap(memory + 2 * PAGE, PAGE));
    memory[4 * PAGE] = 1;
    wait_for_clone();
    check(memcmp(memory, content + 2 * PAGE, 2 * PAGE) == 0);
    check(read_faults(memory + 2 * PAGE));
    check(memcmp(memory + 3 * PAGE, content + 5 * PAGE, PAGE) == 0);
    same(memory[4 * PAGE], 1);
    check(memcmp(memory + 4 * PAGE + 1, content + 6 * PAGE + 1, PAGE - 1) == 0);
    pass();
}
