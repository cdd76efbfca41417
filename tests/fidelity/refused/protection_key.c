// A page behind a protection key stays behind it.
// refused: protection key
#include "../fidelity.h"

int main(void) {
    int key = pkey_alloc(0, PKEY_DISABLE_WRITE);
    if (key < 0) skip("memory protection keys");
    unsigned char *memory = pages(1);
    fill(memory, PAGE, 1);
    must(pkey_mprotect(memory, PAGE, PROT_READ | PROT_WRITE, key));
    wait_for_clone();
    check(filled(memory, PAGE, 1));
    check(write_faults(memory));
    must(pkey_set(key, 0));
    memory[0] = 1;
    pass();
}
