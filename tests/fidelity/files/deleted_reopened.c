// Of a deleted file, a second descriptor with its own offset and a new file of the same name are told apart.
#include "../fidelity.h"

int main(void) {
    int one = new_file("data", "first", 5), again = must(open(scratch("data"), O_RDONLY));
    must(unlink(scratch("data")));
    int two = new_file("data", "second", 6);
    must(lseek(one, 2, SEEK_SET));
    wait_for_clone();
    char text[10] = "";
    same(read(one, text, 9), 3);
    check(strcmp(text, "rst") == 0);
    same(read(two, text, 9), 6);
    check(strcmp(text, "second") == 0);
    same(pwrite(one, "F", 1, 0), 1);
    same(read(again, text, 5), 5);
    check(strncmp(text, "First", 5) == 0);
    pass();
}
