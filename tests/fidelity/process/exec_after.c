// Other programs can be run: by fork and exec, vfork, posix_spawn, popen and system.
#include "../fidelity.h"
#include <spawn.h>

extern char **environ;

int main(void) {
    wait_for_clone();
    pid_t child;
    int status;
    char line[20] = "", *const arguments[] = {"true", NULL};
    check(in_child(execl("/bin/true", "true", (char *)NULL)));
    must_zero(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ));
    must(waitpid(child, &status, 0));
    same(status, 0);
    FILE *output = popen("echo hello", "re");
    check(output && fgets(line, sizeof line, output));
    check(strcmp(line, "hello\n") == 0);
    same(pclose(output), 0);
    same(WEXITSTATUS(system("exit 3")), 3);
    pass();
}
