// Empty files: with a name, deleted, and in memory.
#include "../fidelity.h"

int main(void) {
    int named = new_file("named", "", 0), deleted = new_file("deleted", "", 0), memory = must(memfd_create("", 0));
    must(unlink(scratch("deleted")));
    wait_for_clone();
    char byte;
    same(read(named, &byte, 1), 0);
    same(read(deleted, &byte, 1), 0);
    same(read(memory, &byte, 1), 0);
    same(write(deleted, "x", 1), 1);
    same(write(memory, "x", 1), 1);
    pass();
}
