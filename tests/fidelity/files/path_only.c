// A descriptor opened with O_PATH, of a file and of a directory.
#include "../fidelity.h"

int main(void) {
    close(new_file("data", "content", 7));
    int file = must(open(scratch("data"), O_PATH)), directory = must(open(getenv("FIDELITY_DIR"), O_PATH));
    wait_for_clone();
    char text[8] = "", path[40];
    same(read(file, text, 7), -1);
    same(errno, EBADF);
    check(fcntl(file, F_GETFL) & O_PATH);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    same(read(must(open(path, O_RDONLY)), text, 7), 7);
    must(faccessat(directory, "data", R_OK, 0));
    pass();
}
