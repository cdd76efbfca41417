// A mapping with all three rights keeps them: just-in-time compilers use it.
#include "../fidelity.h"

int main(void) {
    unsigned char *code = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memcpy(code, (unsigned char[]){0xb8, 1, 0, 0, 0, 0xc3}, 6); // mov eax, 1; ret
    int (*run)(void) = (int (*)(void))code;
    wait_for_clone();
    for (int i = 2; i < 100; i++) {
        same(run(), i - 1);
        code[1] = i;
    }
    pass();
}
