// The processor is one that has all that the program found before.
#include "../fidelity.h"
#include <cpuid.h>

static void read_features(unsigned *features) {
    unsigned unused;
    __cpuid_count(1, 0, unused, unused, features[0], features[1]);
    __cpuid_count(7, 0, unused, features[2], features[3], features[4]);
    asm volatile("xgetbv" : "=a"(features[5]), "=d"(unused) : "c"(0));
    features[0] &= ~(1u << 27); // OSXSAVE follows the state of the kernel
}

int main(void) {
    unsigned before[6], after[6];
    read_features(before);
    wait_for_clone();
    read_features(after);
    for (int i = 0; i < 6; i++) same(before[i] & ~after[i], 0);
    pass();
}
