// The clone has another process id than its seed, and everybody agrees about it.
#include "../fidelity.h"

int main(void) {
    pid_t before = getpid();
    char self[20] = "";
    wait_for_clone();
    if (!native()) check(getpid() != before);
    same(syscall(SYS_getpid), getpid());
    same(syscall(SYS_gettid), getpid());
    must(readlink("/proc/self", self, sizeof self - 1));
    sabotage(self[0] = '9');
    same(atoi(self), getpid());
    same(atoi(status_of("Pid:")), getpid());
    same(atoi(status_of("Tgid:")), getpid());
    pass();
}
