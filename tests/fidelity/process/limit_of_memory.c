// A limit of the address space just above what is used is in force, and no hindrance.
#include "../fidelity.h"

int main(void) {
    must(setrlimit(RLIMIT_AS, &(struct rlimit){64 << 20, 64 << 20}));
    unsigned char *memory = pages(1000);
    fill(memory, 1000 * PAGE, 1);
    wait_for_clone();
    check(filled(memory, 1000 * PAGE, 1));
    check(mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    same(errno, ENOMEM);
    pages(100);
    pass();
}
