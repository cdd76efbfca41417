// Tiles of AMX keep their configuration and content.
#include "../fidelity.h"
#include <asm/prctl.h>

__attribute__((target("amx-tile"))) static void hold(const unsigned char *config, const unsigned char *before, unsigned char *after) {
    char byte;
    long got;
    asm volatile("ldtilecfg (%[config])\n tileloadd (%[from],%[stride]), %%tmm3\n"
                 "1: movl $0, %%eax\n syscall\n cmpq $-4, %%rax\n je 1b\n"
                 "tilestored %%tmm3, (%[to],%[stride])\n tilerelease\n"
                 : "=&a"(got)
                 : [config] "r"(config), [from] "r"(before), [to] "r"(after), [stride] "r"(64L), "D"(0L), "S"(&byte), "d"(1L)
                 : "rcx", "r11", "memory");
}

int main(void) {
    unsigned char config[64] = {1}, before[1024], after[1024];
    if (syscall(SYS_arch_prctl, 0x1023, 18)) skip("AMX"); // ARCH_REQ_XCOMP_PERM, tile data
    config[16 + 2 * 3] = 64; // tile 3: 16 rows of 64 bytes
    config[48 + 3] = 16;
    fill(before, sizeof before, 1);
    announce();
    hold(config, before, after);
    check(memcmp(before, after, sizeof before) == 0);
    pass();
}
