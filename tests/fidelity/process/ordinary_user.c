// A program of an ordinary user, with files and threads.
#include "../fidelity.h"

static void *nothing(void *value) { return value; }

int main(void) {
    if (geteuid()) skip("root");
    int fd = new_file("data", "content", 7);
    must(setresgid(65534, 65534, 65534));
    must(setresuid(65534, 65534, 65534));
    unsigned char *memory = pages(8);
    fill(memory, 8 * PAGE, 1);
    wait_for_clone();
    same(getuid() + geteuid() + getgid() + getegid(), 4 * 65534);
    check(filled(memory, 8 * PAGE, 1));
    check(strtoull(status_of("CapEff:"), NULL, 16) == 0);
    same((long)join(spawn(nothing, (void *)3)), 3);
    check(in_child(lseek(fd, 0, SEEK_END) == 7));
    pass();
}
