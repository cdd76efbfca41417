// A title that the program wrote over its arguments is shown by /proc.
#include "../fidelity.h"

int main(int count, char **arguments) {
    char *const room[] = {"a first argument that leaves room for a title", NULL};
    if (count == 1 && strncmp(arguments[0], "a first", 7)) must(execv("/proc/self/exe", room));
    memset(arguments[0], 0, strlen(room[0]));
    strcpy(arguments[0], "worker: idle");
    wait_for_clone();
    check(strcmp(contents_of("/proc/self/cmdline", NULL), "worker: idle") == 0);
    strcpy(arguments[0], "worker: busy");
    check(strcmp(contents_of("/proc/self/cmdline", NULL), "worker: busy") == 0);
    pass();
}
