// The heap's end stays where it was; growing it further gives zeros.
#include "../fidelity.h"

int main(void) {
    unsigned char *heap = must(sbrk(1 << 20));
    fill(heap, 1 << 20, 5);
    void *end = sbrk(0);
    wait_for_clone();
    sabotage(sbrk(PAGE));
    check(sbrk(0) == end);
    check(filled(heap, 1 << 20, 5));
    unsigned char *more = must(sbrk(1 << 20));
    check(more == end);
    check(zeros(more, 1 << 20));
    fill(more, 1 << 20, 6);
    check(filled(more, 1 << 20, 6));
    pass();
}
