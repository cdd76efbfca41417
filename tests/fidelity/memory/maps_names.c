// /proc/self/maps still names the files of the program's and libc's code, and the heap and the stack.
#include "../fidelity.h"

static const char *name_at(const void *address) {
    for (char *line = strtok(contents_of("/proc/self/maps", NULL), "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        int name = 0;
        sscanf(line, "%lx-%lx %*s %*s %*s %*s%n", &start, &end, &name);
        if (start <= (uintptr_t)address && (uintptr_t)address < end) return line + name + strspn(line + name, " ");
    }
    return "nothing";
}

int main(void) {
    const void *code[] = {(void *)main, (void *)printf};
    const char *before[2] = {name_at(code[0]), name_at(code[1])};
    void *heap = malloc(10);
    wait_for_clone();
    for (int i = 0; i < 2; i++) {
        if (strcmp(name_at(code[i]), before[i])) fail("%s has become %s", before[i], name_at(code[i]));
    }
    check(strcmp(name_at(heap), "[heap]") == 0);
    check(strcmp(name_at(before), "[stack]") == 0);
    pass();
}
