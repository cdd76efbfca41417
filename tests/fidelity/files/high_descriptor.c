// A descriptor with a number in the hundred thousands.
#include "../fidelity.h"

int main(void) {
    struct rlimit limit = {400000, 400000};
    if (setrlimit(RLIMIT_NOFILE, &limit)) skip("a limit of 400000 descriptors");
    int fd = must(dup2(new_file("data", "content", 7), 300000));
    must(lseek(fd, 3, SEEK_SET));
    wait_for_clone();
    char text[5] = "";
    same(read(fd, text, 4), 4);
    check(strcmp(text, "tent") == 0);
    pass();
}
