// A shared read-only mapping, as libc has one of its character set table.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 2);
    close(new_file("data", content, sizeof content));
    int fd = must(open(scratch("data"), O_RDONLY));
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ, MAP_SHARED, fd, 0));
    close(fd);
    wait_for_clone();
    check(filled(memory, sizeof content, 2));
    same(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), -1);
    same(errno, EACCES);
    pass();
}
