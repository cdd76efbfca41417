// The environment is the same, changed variables included; /proc shows that of the start.
#include "../fidelity.h"

extern char **environ;

int main(void) {
    size_t before_bytes, after_bytes;
    int count = 0;
    setenv("FIDELITY_ADDED", "value with = and \n", 1);
    unsetenv("PATH");
    while (environ[count]) count++;
    char *before = contents_of("/proc/self/environ", &before_bytes);
    wait_for_clone();
    sabotage(setenv("FIDELITY_ADDED", "other", 1));
    char *after = contents_of("/proc/self/environ", &after_bytes);
    same(after_bytes, before_bytes);
    check(memcmp(before, after, before_bytes) == 0);
    check(strcmp(getenv("FIDELITY_ADDED"), "value with = and \n") == 0);
    check(!getenv("PATH"));
    for (int i = 0; i < count; i++) check(environ[i]);
    check(!environ[count]);
    pass();
}
