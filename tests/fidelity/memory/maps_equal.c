// /proc/self/maps shows the same ranges with the same rights; only the engine's region and the vDSO may differ.
#include "../fidelity.h"

struct range {
    unsigned long start, end;
    char rights[5];
};

// Reads the ranges; neighbours with equal rights count as one, because what is behind them may differ.
static int read_ranges(struct range *ranges) {
    int count = 0;
    char *maps = contents_of("/proc/self/maps", NULL);
    for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n")) {
        struct range *last = &ranges[count - 1], next = {0};
        if (sscanf(line, "%lx-%lx %4s", &next.start, &next.end, next.rights) != 3) fail("bad line: %s", line);
        if (next.start >= 0x100000000000 && next.end <= 0x100010000000) continue;
        if (strstr(line, "[v")) continue; // [vdso], [vvar], [vvar_vclock], [vsyscall]
        if (count && last->end == next.start && strcmp(last->rights, next.rights) == 0) last->end = next.end;
        else ranges[count++] = next;
    }
    free(maps);
    return count;
}

int main(void) {
    static struct range before[500], after[500];
    mprotect(pages(9), 3 * PAGE, PROT_NONE);
    mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    free(contents_of("/proc/self/maps", NULL)); // whatever reading allocates is there before
    int count = read_ranges(before);
    wait_for_clone();
    sabotage(pages(700));
    same(read_ranges(after), count);
    for (int i = 0; i < count; i++) {
        if (memcmp(&before[i], &after[i], sizeof before[i])) {
            fail("%lx-%lx %s has become %lx-%lx %s", before[i].start, before[i].end, before[i].rights, after[i].start,
                 after[i].end, after[i].rights);
        }
    }
    pass();
}
