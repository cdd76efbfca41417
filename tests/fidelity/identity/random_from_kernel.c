// Random bytes from the kernel differ from those before the clone and from those of every other clone.
#include "../fidelity.h"

int main(void) {
    unsigned char before[16], after[16], device[16];
    char name[64] = "drawn-";
    int fd = must(open("/dev/urandom", O_RDONLY));
    same(getrandom(before, sizeof before, 0), sizeof before);
    wait_for_clone();
    same(getrandom(after, sizeof after, 0), sizeof after);
    same(read(fd, device, sizeof device), sizeof device);
    sabotage(memcpy(after, before, sizeof after));
    check(memcmp(before, after, sizeof after) && memcmp(after, device, sizeof after));
    for (int i = 0; i < 16; i++) sprintf(name + 6 + 2 * i, "%02x", after[i]);
    must(open(scratch(name), O_CREAT | O_EXCL | O_WRONLY, 0644)); // fails if another clone drew the same
    pass();
}
