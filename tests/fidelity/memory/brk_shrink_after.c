// A heap that is shrunk and grown after the clone gives zeros, not its old content.
#include "../fidelity.h"

int main(void) {
    unsigned char *heap = must(sbrk(1 << 20));
    fill(heap, 1 << 20, 5);
    wait_for_clone();
    must(sbrk(-(1 << 19)));
    must(sbrk(1 << 20));
    check(filled(heap, 1 << 19, 5));
    check(zeros(heap + (1 << 19), 1 << 20));
    pass();
}
