// A large reservation of which one page in a thousand was touched.
#include "../fidelity.h"

int main(void) {
    size_t bytes = 1UL << 30;
    unsigned char *memory = must(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    must(madvise(memory, bytes, MADV_NOHUGEPAGE));
    for (size_t at = 0; at < bytes; at += 1000 * PAGE) fill(memory + at, PAGE, at >> 12);
    wait_for_clone();
    for (size_t at = 0; at < bytes; at += 1000 * PAGE) {
        check(filled(memory + at, PAGE, at >> 12));
        check(zeros(memory + at + PAGE, 64));
    }
    check(vm_flag(memory, "nr"));
    pass();
}
