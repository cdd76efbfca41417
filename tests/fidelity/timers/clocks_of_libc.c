// libc's clocks (the vDSO) agree with the kernel's, in threads from before too.
#include "../fidelity.h"
#include <sys/time.h>

static int go[2];

static void verify(void) {
    for (int i = 0; i < 100; i++) {
        struct timespec kernel_, libc_;
        struct timeval day;
        must(syscall(SYS_clock_gettime, CLOCK_REALTIME, &kernel_));
        must(clock_gettime(CLOCK_REALTIME, &libc_));
        must(gettimeofday(&day, NULL));
        long long first = kernel_.tv_sec * SECOND_NS + kernel_.tv_nsec, second = libc_.tv_sec * SECOND_NS + libc_.tv_nsec;
        check(second >= first && second - first < 5 * SECOND_NS);
        check(day.tv_sec * SECOND_NS + (day.tv_usec + 1) * 1000LL >= second);
        check(time(NULL) - kernel_.tv_sec < 5);
    }
}

static void *parked(void *unused) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    verify();
    return unused;
}

int main(void) {
    must(pipe(go));
    verify();
    pthread_t thread = spawn(parked, NULL);
    settle();
    wait_for_clone();
    verify();
    must(write(go[1], "x", 1));
    join(thread);
    pass();
}
