// Eight hundred descriptors at scattered numbers, each with its own offset.
#include "../fidelity.h"

int main(void) {
    close(new_file("data", "content", 7));
    for (int i = 0; i < 800; i++) {
        int fd = must(open(scratch("data"), O_RDONLY));
        must(lseek(fd, i, SEEK_SET));
        if (i % 10 == 0) {
            must(dup2(fd, 900 + i / 10));
            must(close(fd));
        }
    }
    int open_[1024];
    for (int fd = 3; fd < 1024; fd++) open_[fd] = lseek(fd, 0, SEEK_CUR);
    wait_for_clone();
    for (int fd = 3; fd < 1024; fd++) same(lseek(fd, 0, SEEK_CUR), open_[fd]);
    pass();
}
