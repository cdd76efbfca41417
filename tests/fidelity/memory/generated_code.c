// Machine code written at run time still runs, and can be replaced.
#include "../fidelity.h"

static const unsigned char answer[] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov eax, 42; ret

int main(void) {
    unsigned char *code = pages(1);
    memcpy(code, answer, sizeof answer);
    must(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
    int (*run)(void) = (int (*)(void))code;
    same(run(), 42);
    wait_for_clone();
    same(run(), 42);
    check(write_faults(code));
    must(mprotect(code, PAGE, PROT_READ | PROT_WRITE));
    code[1] = 43;
    must(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
    same(run(), 43);
    pass();
}
