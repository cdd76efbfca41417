// The x87 unit keeps its control word and eight values of 80 bits on its stack.
#include "../fidelity.h"

int main(void) {
    long double before[8], after[8];
    unsigned short control = 0x0f7f, now = 0; // rounds toward zero
    char byte;
    long got;
    for (int i = 0; i < 8; i++) before[i] = 3.14159265358979323846L * (i + 1);
    announce();
    asm volatile("fldcw %0" ::"m"(control));
    for (int i = 0; i < 8; i++) asm volatile("fldt %0" ::"m"(before[i]));
    do asm volatile("syscall" : "=a"(got) : "a"(SYS_read), "D"(0), "S"(&byte), "d"(1) : "rcx", "r11", "memory");
    while (got == -EINTR);
    for (int i = 7; i >= 0; i--) asm volatile("fstpt %0" : "=m"(after[i]));
    asm volatile("fstcw %0" : "=m"(now));
    asm volatile("fninit");
    sabotage(now = 0);
    same(got, 1);
    same(now, 0x0f7f);
    for (int i = 0; i < 8; i++) check(memcmp(&before[i], &after[i], 10) == 0);
    pass();
}
