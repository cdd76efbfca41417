// The flags for identification and alignment checks are kept in a thread that computes.
#include "../fidelity.h"

static volatile int stop, holds;
static unsigned long flags;

static void *hold(void *unused) {
    asm volatile("pushfq\n orq $0x240000, (%%rsp)\n popfq\n movl $1, %[holds]\n" // ID, AC
                 "1: pause\n cmpl $0, %[stop]\n je 1b\n pushfq\n pop %[flags]\n"
                 "pushfq\n andq $~0x240000, (%%rsp)\n popfq\n"
                 : [flags] "=m"(flags), [holds] "=m"(holds)
                 : [stop] "m"(stop)
                 : "memory", "cc");
    return unused;
}

int main(void) {
    pthread_t thread = spawn(hold, NULL);
    check(eventually(holds));
    wait_for_clone();
    stop = 1;
    join(thread);
    same(flags & 0x240000, 0x240000);
    pass();
}
