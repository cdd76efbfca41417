// The devices that have no state: null, zero, full, random, urandom.
#include "../fidelity.h"

int main(void) {
    int null = must(open("/dev/null", O_RDWR)), zero = must(open("/dev/zero", O_RDONLY));
    int full = must(open("/dev/full", O_WRONLY)), random = must(open("/dev/urandom", O_RDONLY));
    must(open("/dev/random", O_RDONLY | O_NONBLOCK));
    wait_for_clone();
    unsigned char bytes[64];
    same(write(null, "x", 1), 1);
    same(read(null, bytes, 64), 0);
    same(read(zero, bytes, 64), 64);
    check(zeros(bytes, 64));
    same(write(full, "x", 1), -1);
    same(errno, ENOSPC);
    same(read(random, bytes, 64), 64);
    check(!zeros(bytes, 64));
    same(fcntl(full, F_GETFL) & O_ACCMODE, O_WRONLY);
    pass();
}
