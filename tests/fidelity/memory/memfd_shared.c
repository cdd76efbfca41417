// Two shared mappings of a memfd and its descriptor show the same bytes; its holes are zero.
#include "../fidelity.h"

int main(void) {
    int fd = must(memfd_create("fidelity", MFD_CLOEXEC));
    must(ftruncate(fd, 8 * PAGE));
    unsigned char *one = must(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    unsigned char *two = must(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 4 * PAGE));
    fill(one, 2 * PAGE, 1);
    fill(one + 4 * PAGE, 2 * PAGE, 2);
    wait_for_clone();
    sabotage(one[4 * PAGE] ^= 1);
    check(filled(one, 2 * PAGE, 1));
    check(zeros(one + 2 * PAGE, 2 * PAGE));
    check(filled(two, 2 * PAGE, 2));
    one[7 * PAGE] = 5;
    same(two[3 * PAGE], 5);
    same(pwrite(fd, "\6", 1, 7 * PAGE), 1);
    same(two[3 * PAGE], 6);
    pass();
}
