// All thirty-two AVX-512 registers keep all of their 512 bits, and the seven mask registers theirs.
#include "../fidelity.h"

__attribute__((target("avx512f,avx512bw"))) static long hold(unsigned char (*before)[64], unsigned char (*after)[64],
                                                             uint64_t *masks_before, uint64_t *masks_after) {
    char byte;
    long got;
#define LOAD(n) "vmovdqu64 " #n "*64(%[from]), %%zmm" #n "\n"
#define STORE(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[to])\n"
#define LOAD_MASK(n) "kmovq " #n "*8(%[masks_from]), %%k" #n "\n"
#define STORE_MASK(n) "kmovq %%k" #n ", " #n "*8(%[masks_to])\n"
#define HALF(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
#define ALL(x) HALF(x) x(16) x(17) x(18) x(19) x(20) x(21) x(22) x(23) x(24) x(25) x(26) x(27) x(28) x(29) x(30) x(31)
#define MASKS(x) x(1) x(2) x(3) x(4) x(5) x(6) x(7)
    asm volatile(ALL(LOAD) MASKS(LOAD_MASK) "1: movl $0, %%eax\n syscall\n cmpq $-4, %%rax\n je 1b\n" ALL(STORE)
                     MASKS(STORE_MASK) "vzeroupper\n"
                 : "=&a"(got)
                 : [from] "b"(before), [to] "r"(after), [masks_from] "r"(masks_before), [masks_to] "r"(masks_after),
                   "D"(0L), "S"(&byte), "d"(1L)
                 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19",
                   "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",
                   "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
    return got;
}

int main(void) {
    static unsigned char before[32][64], after[32][64];
    uint64_t masks_before[8], masks_after[8] = {0};
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) skip("AVX-512");
    fill(before, sizeof before, 1);
    fill(masks_before, sizeof masks_before, 2);
    announce();
    same(hold(before, after, masks_before, masks_after), 1);
    sabotage(after[31][63] ^= 1);
    check(memcmp(before, after, sizeof before) == 0);
    check(memcmp(masks_before + 1, masks_after + 1, 56) == 0);
    pass();
}
