// A thread frozen while it computes keeps all registers, also those that system calls destroy, its flags, its
// vector registers and the red zone below its stack.
#include "../fidelity.h"

static uint64_t before[16], after[16], flags, zone;
static volatile int stop, holds;
static unsigned char vector[16] = "sixteen letters", vector_after[16];

__attribute__((noinline)) static void *hold(void *unused) {
    asm volatile("push %%rbp\n push %%rbx\n"
                 "movups %[vector], %%xmm7\n movq $0x5eed, -120(%%rsp)\n"
                 "mov 0+%[from], %%rbx\n mov 8+%[from], %%rbp\n mov 16+%[from], %%r8\n mov 24+%[from], %%r9\n"
                 "mov 32+%[from], %%r10\n mov 40+%[from], %%r11\n mov 48+%[from], %%r12\n mov 56+%[from], %%r13\n"
                 "mov 64+%[from], %%r14\n mov 72+%[from], %%r15\n mov 80+%[from], %%rax\n mov 88+%[from], %%rcx\n"
                 "mov 96+%[from], %%rdx\n mov 104+%[from], %%rsi\n mov 112+%[from], %%rdi\n"
                 "movl $1, %[holds]\n std\n stc\n"
                 "1: pause\n jnc 2f\n testl $-1, %[stop]\n stc\n jz 3f\n jmp 2f\n"
                 "3: testl $-1, %[stop]\n stc\n jnz 2f\n jmp 1b\n"
                 "2: mov %%rbx, 0+%[to]\n mov %%rbp, 8+%[to]\n mov %%r8, 16+%[to]\n mov %%r9, 24+%[to]\n"
                 "mov %%r10, 32+%[to]\n mov %%r11, 40+%[to]\n mov %%r12, 48+%[to]\n mov %%r13, 56+%[to]\n"
                 "mov %%r14, 64+%[to]\n mov %%r15, 72+%[to]\n mov %%rax, 80+%[to]\n mov %%rcx, 88+%[to]\n"
                 "mov %%rdx, 96+%[to]\n mov %%rsi, 104+%[to]\n mov %%rdi, 112+%[to]\n"
                 "mov -120(%%rsp), %%rax\n mov %%rax, %[zone]\n movups %%xmm7, %[vector_after]\n"
                 "pushfq\n pop %[flags]\n cld\n pop %%rbx\n pop %%rbp\n"
                 : [to] "+m"(after), [flags] "=m"(flags), [zone] "=m"(zone), [vector_after] "=m"(vector_after), [holds] "=m"(holds)
                 : [from] "m"(before), [stop] "m"(stop), [vector] "m"(vector)
                 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm7", "memory", "cc");
    return unused;
}

int main(void) {
    fill(before, sizeof before, 1);
    pthread_t thread = spawn(hold, NULL);
    check(eventually(holds));
    wait_for_clone();
    stop = 1;
    join(thread);
    for (int i = 0; i < 15; i++) check(before[i] == after[i]);
    check((flags & 0x401) == 0x401); // direction and carry
    same(zone, 0x5eed);
    check(memcmp(vector, vector_after, 16) == 0);
    pass();
}
