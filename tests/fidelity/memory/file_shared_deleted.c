// A shared mapping of a deleted file and the descriptor that leads to the same file stay one.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 9);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    must(unlink(scratch("data")));
    wait_for_clone();
    check(filled(memory, sizeof content, 9));
    same(pwrite(fd, "hello", 5, 2 * PAGE), 5);
    check(memcmp(memory + 2 * PAGE, "hello", 5) == 0);
    memory[PAGE] = 'x';
    char byte;
    same(pread(fd, &byte, 1, PAGE), 1);
    same(byte, 'x');
    pass();
}
