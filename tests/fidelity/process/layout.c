// What /proc/self/stat says about code, data, heap, stack, arguments and environment is the same.
#include "../fidelity.h"

static void read_fields(unsigned long long *fields) {
    char *text = strrchr(contents_of("/proc/self/stat", NULL), ')') + 2;
    int number = 3;
    for (char *field = strtok(text, " "); field && number < 53; field = strtok(NULL, " ")) fields[number++] = strtoull(field, NULL, 10);
}

int main(void) {
    static const int layout[] = {26, 27, 28, 45, 46, 47, 48, 49, 50, 51}; // proc_pid_stat(5)
    unsigned long long before[53] = {0}, after[53] = {0};
    read_fields(before);
    wait_for_clone();
    read_fields(after);
    for (size_t i = 0; i < sizeof layout / sizeof *layout; i++) {
        int field = layout[i];
        if (before[field] != after[field]) fail("field %d was %llx and is %llx", field, before[field], after[field]);
    }
    pass();
}
