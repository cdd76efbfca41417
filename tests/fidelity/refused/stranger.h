// A process that is neither parent nor child of the program, for what reaches beyond the program.
#pragma once
#include "../fidelity.h"
#include <sys/ptrace.h>

// Starts it. It has what `fork` gives it, but for descriptors 0 to 2, does its work, and lives as long as the program.
static inline void make_stranger(void (*work)(void)) {
    int done[2];
    char byte;
    pid_t program = getpid(), child;
    must(pipe(done));
    child = must(fork());
    if (child == 0) {
        if (fork()) _exit(0);
        for (int fd = 0; fd < 3; fd++) close(fd);
        close(done[0]);
        alarm(60);
        if (work) work();
        if (write(done[1], "x", 1) != 1) _exit(1);
        close(done[1]);
        for (int status; kill(program, 0) == 0; sleep_ms(5)) {
            // If it traces the program, it hands on its signals and its end.
            if (waitpid(program, &status, WNOHANG) > 0 && WIFSTOPPED(status)) ptrace(PTRACE_CONT, program, 0, WSTOPSIG(status));
        }
        _exit(0);
    }
    close(done[1]);
    must(waitpid(child, NULL, 0));
    if (read(done[0], &byte, 1) != 1) fail("the stranger died");
    close(done[0]);
}
