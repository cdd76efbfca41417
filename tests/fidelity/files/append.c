// A file opened with O_APPEND is written at its end.
#include "../fidelity.h"

int main(void) {
    int fd = new_file("data", "begin", 5);
    close(fd);
    fd = must(open(scratch("data"), O_WRONLY | O_APPEND));
    wait_for_clone();
    sabotage(fcntl(fd, F_SETFL, 0));
    check(fcntl(fd, F_GETFL) & O_APPEND);
    same(write(fd, "x", 1), 1); // clones append to the same file
    char *text = contents_of(scratch("data"), NULL);
    check(strncmp(text, "beginx", 6) == 0);
    check(strspn(text + 5, "x") == strlen(text) - 5);
    pass();
}
