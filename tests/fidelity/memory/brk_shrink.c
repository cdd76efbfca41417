// A heap shrunk before gives zeros when it grows again.
#include "../fidelity.h"

int main(void) {
    unsigned char *heap = must(sbrk(1 << 20));
    fill(heap, 1 << 20, 5);
    must(sbrk(-(1 << 19)));
    wait_for_clone();
    check(sbrk(0) == heap + (1 << 19));
    check(filled(heap, 1 << 19, 5));
    must(sbrk(1 << 19));
    check(zeros(heap + (1 << 19), 1 << 19));
    pass();
}
