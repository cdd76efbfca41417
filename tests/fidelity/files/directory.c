// A directory that is open and half read goes on where it was.
#include "../fidelity.h"
#include <dirent.h>

int main(void) {
    char name[20];
    for (int i = 0; i < 300; i++) snprintf(name, sizeof name, "entry-%03d", i), close(new_file(name, "", 0));
    int fd = must(open(getenv("FIDELITY_DIR"), O_RDONLY | O_DIRECTORY));
    char buffer[1024];
    bool seen[300] = {false};
    long got;
    for (int round = 0; (got = must(syscall(SYS_getdents64, fd, buffer, sizeof buffer))) > 0; round++) {
        for (long at = 0; at < got; at += *(unsigned short *)(buffer + at + 16)) {
            int number;
            if (sscanf(buffer + at + 19, "entry-%d", &number) == 1) {
                check(!seen[number]);
                seen[number] = true;
            }
        }
        if (round == 3) wait_for_clone();
    }
    for (int i = 0; i < 300; i++) check(seen[i]);
    pass();
}
