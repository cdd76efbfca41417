// A handler of SIGSEGV learns the address and can repair the fault, as collectors of garbage do.
#include "../fidelity.h"

static unsigned char *memory;
static volatile int faults;

static void repair(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    unsigned char *page = (unsigned char *)((uintptr_t)info->si_addr & -PAGE);
    if (page < memory || page >= memory + 16 * PAGE || info->si_code != SEGV_ACCERR) fail("fault at %p", info->si_addr);
    faults++;
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};
    memory = pages(16);
    fill(memory, 16 * PAGE, 1);
    must(mprotect(memory, 16 * PAGE, PROT_READ));
    must(sigaction(SIGSEGV, &action, NULL));
    for (int page = 0; page < 4; page++) memory[page * PAGE] = pattern(page * PAGE, 1);
    wait_for_clone();
    for (int page = 0; page < 16; page++) memory[page * PAGE] = pattern(page * PAGE, 1);
    same(faults, 16);
    check(filled(memory, 16 * PAGE, 1));
    pass();
}
