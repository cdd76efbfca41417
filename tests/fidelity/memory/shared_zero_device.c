// /dev/zero mapped shared is memory of its own, and mapped private gives zeros.
#include "../fidelity.h"

int main(void) {
    int fd = must(open("/dev/zero", O_RDWR));
    unsigned char *shared = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    unsigned char *private = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    close(fd);
    fill(shared, 2 * PAGE, 1);
    fill(private, 2 * PAGE, 2);
    wait_for_clone();
    check(filled(shared, 2 * PAGE, 1));
    check(filled(private, 2 * PAGE, 2));
    check(zeros(shared + 2 * PAGE, 2 * PAGE));
    check(zeros(private + 2 * PAGE, 2 * PAGE));
    check(in_child(shared[3 * PAGE] = 1));
    same(shared[3 * PAGE], 1);
    pass();
}
