// What the kernel takes for a process that does nothing: for each number N that is read, N times fork, _exit and waitpid;
// prints how long each took, in nanoseconds, a line each.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(void) {
    static char line[32];
    while (fgets(line, sizeof line, stdin) != NULL) {
        for (long left = atol(line); left > 0; left--) {
            long long begun = now_ns();
            pid_t child = fork();
            if (child == 0) _exit(0);
            if (child < 0 || waitpid(child, NULL, 0) != child) return 1;
            printf("%lld\n", now_ns() - begun);
        }
        fflush(stdout);
    }
    return 0;
}
