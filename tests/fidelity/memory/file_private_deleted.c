// A private mapping of a file that was deleted meanwhile.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 9);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    close(fd);
    must(unlink(scratch("data")));
    fill(memory + PAGE, PAGE, 10);
    wait_for_clone();
    check(memcmp(memory, content, PAGE) == 0);
    check(filled(memory + PAGE, PAGE, 10));
    check(memcmp(memory + 2 * PAGE, content + 2 * PAGE, 2 * PAGE) == 0);
    pass();
}
