// A MAP_GROWSDOWN mapping keeps its content and still grows when memory below it is touched.
#include "../fidelity.h"

int main(void) {
    unsigned char *room = must(mmap(NULL, 2048 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    must(munmap(room, 2048 * PAGE));
    unsigned char *memory = must(mmap(room + 2040 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0));
    memory[-(long)PAGE] = 1; // grows by one page
    fill(memory, 8 * PAGE, 2);
    wait_for_clone();
    check(vm_flag(memory, "gd"));
    check(filled(memory, 8 * PAGE, 2));
    same(memory[-(long)PAGE], 1);
    for (int page = 2; page < 20; page++) memory[-page * (long)PAGE] = page;
    for (int page = 2; page < 20; page++) same(memory[-page * (long)PAGE], page);
    pass();
}
