// A private mapping of a memfd: written pages are apart from it.
#include "../fidelity.h"

int main(void) {
    int fd = must(memfd_create("fidelity", MFD_CLOEXEC));
    must(ftruncate(fd, 4 * PAGE));
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 6);
    same(pwrite(fd, content, sizeof content, 0), sizeof content);
    unsigned char *memory = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    fill(memory, PAGE, 7);
    wait_for_clone();
    check(filled(memory, PAGE, 7));
    check(memcmp(memory + PAGE, content + PAGE, 3 * PAGE) == 0);
    unsigned char now[4 * PAGE];
    same(pread(fd, now, sizeof now, 0), sizeof now);
    check(filled(now, sizeof now, 6));
    pass();
}
