// The auxiliary vector is the same, in memory and in /proc; only the vDSO's address may differ.
#include "../fidelity.h"
#include <elf.h>
#include <sys/auxv.h>

int main(void) {
    size_t before_bytes, after_bytes;
    Elf64_auxv_t *before = (void *)contents_of("/proc/self/auxv", &before_bytes);
    unsigned long found[100];
    for (size_t i = 0; i < before_bytes / sizeof *before && i < 100; i++) found[i] = getauxval(before[i].a_type);
    wait_for_clone();
    Elf64_auxv_t *after = (void *)contents_of("/proc/self/auxv", &after_bytes);
    same(after_bytes, before_bytes);
    for (size_t i = 0; i < before_bytes / sizeof *before; i++) {
        same(after[i].a_type, before[i].a_type);
        if (after[i].a_type == AT_SYSINFO_EHDR) continue;
        check(after[i].a_un.a_val == before[i].a_un.a_val);
        check(getauxval(after[i].a_type) == found[i]); // libc shows some of them its own way
    }
    pass();
}
