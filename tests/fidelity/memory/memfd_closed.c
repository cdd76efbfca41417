// Two mappings of one memfd whose descriptor was closed stay coherent.
#include "../fidelity.h"

int main(void) {
    int fd = must(memfd_create("closed", 0));
    must(ftruncate(fd, 4 * PAGE));
    unsigned char *writer = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    unsigned char *reader = must(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0));
    close(fd);
    fill(writer, PAGE, 3);
    wait_for_clone();
    check(filled(reader, PAGE, 3));
    fill(writer + 2 * PAGE, PAGE, 4);
    check(filled(reader + 2 * PAGE, PAGE, 4));
    pass();
}
