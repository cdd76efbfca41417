// A file's offset is kept, and two opens of the same file have each their own.
#include "../fidelity.h"

int main(void) {
    int one = new_file("data", "0123456789abcdef", 16), two = must(open(scratch("data"), O_RDONLY));
    char text[5] = "";
    must(lseek(one, 3, SEEK_SET));
    must(lseek(two, 10, SEEK_SET));
    wait_for_clone();
    sabotage(lseek(one, 1, SEEK_CUR));
    same(lseek(one, 0, SEEK_CUR), 3);
    same(read(two, text, 4), 4);
    check(strcmp(text, "abcd") == 0);
    same(read(one, text, 4), 4);
    check(strcmp(text, "3456") == 0);
    pass();
}
