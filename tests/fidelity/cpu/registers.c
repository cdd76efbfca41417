// All general registers that a system call keeps, and the direction flag, survive the read in which it is frozen.
#include "../fidelity.h"

int main(void) {
    static uint64_t before[16], after[16], flags, place;
    static char byte;
    fill(before, sizeof before, 1);
    before[7] = (uint64_t)&byte; // rsi, and rdi and rdx below, are the call's arguments
    announce();
    asm volatile("push %%rbp\n push %%rbx\n mov %%rsp, %[place]\n"
                 "mov 0+%[from], %%rbx\n mov 8+%[from], %%rbp\n mov 16+%[from], %%r8\n mov 24+%[from], %%r9\n"
                 "mov 32+%[from], %%r10\n mov 40+%[from], %%r12\n mov 48+%[from], %%r13\n mov 56+%[from], %%rsi\n"
                 "mov 64+%[from], %%r14\n mov 72+%[from], %%r15\n xor %%edi, %%edi\n mov $1, %%edx\n std\n"
                 "1: xor %%eax, %%eax\n syscall\n cmp $-4, %%rax\n je 1b\n"
                 "mov %%rbx, 0+%[to]\n mov %%rbp, 8+%[to]\n mov %%r8, 16+%[to]\n mov %%r9, 24+%[to]\n"
                 "mov %%r10, 32+%[to]\n mov %%r12, 40+%[to]\n mov %%r13, 48+%[to]\n mov %%rsi, 56+%[to]\n"
                 "mov %%r14, 64+%[to]\n mov %%r15, 72+%[to]\n mov %%rdi, 80+%[to]\n mov %%rdx, 88+%[to]\n"
                 "mov %%rax, 96+%[to]\n sub %%rsp, %[place]\n pushfq\n pop %[flags]\n cld\n pop %%rbx\n pop %%rbp\n"
                 : [to] "+m"(after), [flags] "=m"(flags), [place] "=m"(place)
                 : [from] "m"(before)
                 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    sabotage(after[1]++);
    for (int i = 0; i < 10; i++) check(before[i] == after[i]);
    check(after[10] == 0 && after[11] == 1 && after[12] == 1 && place == 0);
    check(flags & 0x400);
    pass();
}
