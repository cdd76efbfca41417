// A shared mapping of a file shows what is written to the file, and the other way round.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 9);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    wait_for_clone();
    check(filled(memory, sizeof content, 9));
    long slot = getpid() % 4000; // clones share the file: everybody has a place of its own, most likely
    memory[slot] = content[slot];
    unsigned char byte;
    same(pread(fd, &byte, 1, slot), 1);
    same(byte, content[slot]);
    must(msync(memory, sizeof content, MS_SYNC));
    check(in_child(filled(memory, sizeof content, 9)));
    pass();
}
