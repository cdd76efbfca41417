// All sixteen SSE registers keep their content across the read in which the program is frozen.
#include "../fidelity.h"

int main(void) {
    unsigned char before[16][16] __attribute__((aligned(16))), after[16][16] __attribute__((aligned(16)));
    char byte;
    long got;
    fill(before, sizeof before, 1);
    announce();
#define LOAD(n) "movdqa " #n "*16(%[from]), %%xmm" #n "\n"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*16(%[to])\n"
#define ALL(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
    asm volatile(ALL(LOAD) "1: movl $0, %%eax\n syscall\n cmpq $-4, %%rax\n je 1b\n" ALL(STORE)
                 : "=&a"(got)
                 : [from] "b"(before), [to] "r"(after), "D"(0L), "S"(&byte), "d"(1L)
                 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    sabotage(after[3][3] ^= 1);
    same(got, 1);
    check(memcmp(before, after, sizeof before) == 0);
    pass();
}
