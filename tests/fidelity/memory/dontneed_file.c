// MADV_DONTNEED on a written private page of a file brings back the file's content.
#include "../fidelity.h"

int main(void) {
    unsigned char content[4 * PAGE];
    fill(content, sizeof content, 9);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, sizeof content, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    fill(memory + PAGE, PAGE, 10);
    wait_for_clone();
    check(filled(memory + PAGE, PAGE, 10));
    must(madvise(memory, sizeof content, MADV_DONTNEED));
    check(filled(memory, sizeof content, 9));
    pass();
}
