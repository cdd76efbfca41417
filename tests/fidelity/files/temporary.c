// A file made with O_TMPFILE, which never had a name.
#include "../fidelity.h"

int main(void) {
    int fd = open(getenv("FIDELITY_DIR"), O_TMPFILE | O_RDWR, 0600);
    if (fd == -1) skip("O_TMPFILE on the scratch directory's file system");
    unsigned char content[3 * PAGE];
    fill(content, sizeof content, 1);
    same(pwrite(fd, content, sizeof content, PAGE), sizeof content);
    wait_for_clone();
    unsigned char now[4 * PAGE];
    same(pread(fd, now, sizeof now, 0), sizeof now);
    check(zeros(now, PAGE));
    check(filled(now + PAGE, 3 * PAGE, 1));
    struct stat status;
    must(fstat(fd, &status));
    same(status.st_mode & 0777, 0600);
    pass();
}
