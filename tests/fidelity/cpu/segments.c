// The segment registers have their usual values.
#include "../fidelity.h"

int main(void) {
    unsigned short before[6], after[6];
#define READ(to) asm volatile("mov %%cs, %0\n mov %%ss, %1\n mov %%ds, %2\n mov %%es, %3\n mov %%fs, %4\n mov %%gs, %5" \
                              : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]), "=r"(to[4]), "=r"(to[5]))
    READ(before);
    wait_for_clone();
    READ(after);
    for (int i = 0; i < 6; i++) same(after[i], before[i]);
    pass();
}
