// Names with spaces, newlines, quotes, bytes that are not UTF-8, and one that ends like a deleted file's.
#include "../fidelity.h"

int main(void) {
    static const char *const names[] = {"a b", "line\nbreak", "quote\"'\\", "\xff\xfe", "data (deleted)", "[heap]", "x:y,z"};
    enum { COUNT = sizeof names / sizeof *names };
    int fds[COUNT];
    unsigned char *mapped[COUNT];
    for (int i = 0; i < COUNT; i++) {
        fds[i] = new_file(names[i], names[i], strlen(names[i]));
        mapped[i] = must(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[i], 0));
    }
    wait_for_clone();
    char text[20];
    for (int i = 0; i < COUNT; i++) {
        same(read(fds[i], text, sizeof text), strlen(names[i]));
        check(memcmp(text, names[i], strlen(names[i])) == 0);
        check(memcmp(mapped[i], names[i], strlen(names[i])) == 0);
    }
    pass();
}
