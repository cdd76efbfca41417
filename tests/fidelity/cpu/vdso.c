// Functions of the vDSO, called at the addresses found before, still work.
#include "../fidelity.h"
#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

// Finds a function of the vDSO by its name in its symbol table.
static void *find(const char *name) {
    char *vdso = (char *)getauxval(AT_SYSINFO_EHDR), *strings = NULL;
    ElfW(Ehdr) *header = (void *)vdso;
    ElfW(Phdr) *segments = (void *)(vdso + header->e_phoff);
    ElfW(Dyn) *dynamic = NULL;
    ElfW(Sym) *symbols = NULL;
    for (int i = 0; i < header->e_phnum; i++) if (segments[i].p_type == PT_DYNAMIC) dynamic = (void *)(vdso + segments[i].p_offset);
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_STRTAB) strings = vdso + dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SYMTAB) symbols = (void *)(vdso + dynamic->d_un.d_ptr);
    }
    if (!strings || !symbols) return NULL;
    for (int i = 1; (char *)&symbols[i] < strings; i++) {
        if (strcmp(strings + symbols[i].st_name, name) == 0) return vdso + symbols[i].st_value;
    }
    return NULL;
}

int main(void) {
    if (!getauxval(AT_SYSINFO_EHDR)) skip("a vDSO");
    int (*clock)(clockid_t, struct timespec *) = find("__vdso_clock_gettime");
    long (*processor)(unsigned *, unsigned *, void *) = find("__vdso_getcpu");
    struct timespec now;
    unsigned cpu = 1000000, node;
    check(clock && processor);
    wait_for_clone();
    long long kernel_ns = now_ns(CLOCK_MONOTONIC);
    same(clock(CLOCK_MONOTONIC, &now), 0);
    check(now.tv_sec * SECOND_NS + now.tv_nsec >= kernel_ns);
    check(now.tv_sec * SECOND_NS + now.tv_nsec < kernel_ns + 5 * SECOND_NS);
    same(processor(&cpu, &node, NULL), 0);
    check(cpu < 100000);
    check(find("__vdso_clock_gettime") == (void *)clock);
    pass();
}
