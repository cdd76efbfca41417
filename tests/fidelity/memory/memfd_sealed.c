// A memfd keeps its seals.
#include "../fidelity.h"

int main(void) {
    int fd = must(memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    same(write(fd, "content", 7), 7);
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    must(fcntl(fd, F_ADD_SEALS, seals));
    wait_for_clone();
    same(must(fcntl(fd, F_GET_SEALS)), seals);
    same(write(fd, "x", 1), -1);
    same(errno, EPERM);
    same(ftruncate(fd, 1), -1);
    char content[8] = "";
    same(pread(fd, content, 8, 0), 7);
    check(strcmp(content, "content") == 0);
    must(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    pass();
}
