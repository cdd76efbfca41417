// The arguments are the same, in memory and in /proc, after the program ran itself with odd ones.
#include "../fidelity.h"

int main(int count, char **arguments) {
    char *const odd[] = {"name of my own", "", "two words", "\xff", "-n", NULL};
    size_t bytes;
    if (count == 1) must(execv("/proc/self/exe", odd));
    wait_for_clone();
    char *line = contents_of("/proc/self/cmdline", &bytes), *at = line;
    same(count, 5);
    for (int i = 0; i < 5; i++) {
        check(strcmp(arguments[i], odd[i]) == 0);
        if (strcmp(at, odd[i])) fail("argument %d in /proc is %s", i, at);
        at += strlen(at) + 1;
    }
    same(at - line, bytes);
    pass();
}
