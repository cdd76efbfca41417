// /proc/self/exe leads to the same file, and it can be run.
#include "../fidelity.h"

int main(int count, char **arguments) {
    if (count > 1) return strcmp(arguments[1], "again") ? 1 : 0;
    char before[4096] = "", after[4096] = "", *const again[] = {arguments[0], "again", NULL};
    must(readlink("/proc/self/exe", before, sizeof before - 1));
    wait_for_clone();
    must(readlink("/proc/self/exe", after, sizeof after - 1));
    if (strcmp(before, after)) fail("%s has become %s", before, after);
    check(in_child(execv("/proc/self/exe", again)));
    pass();
}
