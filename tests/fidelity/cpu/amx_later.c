// A program that may use the tiles of AMX, but has not yet, may still.
#include "../fidelity.h"
#include <asm/prctl.h>

__attribute__((target("amx-tile"))) static void copy(const unsigned char *config, const unsigned char *from, unsigned char *to) {
    asm volatile("ldtilecfg (%[config])\n tileloadd (%[from],%[stride]), %%tmm3\n"
                 "tilestored %%tmm3, (%[to],%[stride])\n tilerelease\n"
                 : : [config] "r"(config), [from] "r"(from), [to] "r"(to), [stride] "r"(64L) : "memory");
}

int main(void) {
    unsigned char config[64] = {1}, before[1024], after[1024] = {0};
    unsigned long permitted = 0;
    if (syscall(SYS_arch_prctl, 0x1023, 18)) skip("AMX"); // ARCH_REQ_XCOMP_PERM, tile data
    config[16 + 2 * 3] = 64; // tile 3: 16 rows of 64 bytes
    config[48 + 3] = 16;
    fill(before, sizeof before, 1);
    wait_for_clone();
    must(syscall(SYS_arch_prctl, 0x1022, &permitted)); // ARCH_GET_XCOMP_PERM
    check(permitted >> 18 & 1);
    copy(config, before, after);
    sabotage(after[7]++);
    check(memcmp(before, after, sizeof before) == 0);
    pass();
}
