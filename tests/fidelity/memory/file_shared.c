// A shared mapping of a file, writable. Nothing is written: the file is the other clones', too, and must not change.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 9);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    wait_for_clone();
    check(filled(memory, sizeof content, 9));
    unsigned char now[4 * PAGE];
    same(pread(fd, now, sizeof now, 0), sizeof now);
    check(memcmp(memory, now, sizeof now) == 0);
    check(vm_flag(memory, "sh") && vm_flag(memory, "wr"));
    must(msync(memory, sizeof content, MS_SYNC));
    check(in_child(filled(memory, sizeof content, 9)));
    pass();
}
