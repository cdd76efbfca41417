// The generation page tells each clone that it is one, and which: no two have the same id.
#include "../fidelity.h"

static const unsigned char *page(void) { // as docs/format/generation.md says: memory is there or it is not
    unsigned char present;
    void *there = (void *)0x10000f000000;
    return mincore(there, PAGE, &present) == 0 ? there : NULL;
}

int main(void) {
    char id[40] = "generation-";
    check(page() == NULL);
    wait_for_clone();
    if (native()) pass();
    const unsigned char *found = page();
    check(found != NULL);
    sabotage(found++);
    check(memcmp(found, "OFFSHGEN\1\0\0\0\0\0\0\0", 16) == 0);
    check(*(const unsigned long *)(found + 16) >= 1);
    for (int at = 0; at < 12; at++) sprintf(id + 11 + 2 * at, "%02x", found[24 + at]);
    check(strcmp(id, "generation-000000000000000000000000"));
    must(mkdir(scratch(id), 0700)); // all clones share the directory: a second one with this id fails
    pass();
}
