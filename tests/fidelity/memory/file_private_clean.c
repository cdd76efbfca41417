// A private mapping of a file that was only read.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 9);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ, MAP_PRIVATE, fd, 0));
    close(fd);
    check(filled(memory, PAGE, 9));
    wait_for_clone();
    check(filled(memory, sizeof content, 9));
    check(write_faults(memory));
    pass();
}
