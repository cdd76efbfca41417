// Pages of a mapping behind the end of its file raise SIGBUS; the rest of the last page is zero.
#include "../fidelity.h"

int main(void) {
    unsigned char content[PAGE + 100];
    fill(content, sizeof content, 4);
    int fd = new_file("data", content, sizeof content);
    unsigned char *memory = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    close(fd);
    wait_for_clone();
    check(filled(memory, sizeof content, 4));
    check(zeros(memory + sizeof content, 2 * PAGE - sizeof content));
    check(dies_of(SIGBUS, (void)*(volatile char *)(memory + 2 * PAGE)));
    pass();
}
