// A static program at a random address: memory, heap, relocated pointers.
#include "../fidelity.h"

static const char *const words[] = {"one", "two", "three"};
static const char *const *volatile table = words;

int main(void) {
    unsigned char *memory = pages(20), *heap = malloc(100000);
    fill(memory, 10 * PAGE, 1);
    fill(heap, 100000, 2);
    wait_for_clone();
    check(filled(memory, 10 * PAGE, 1));
    check(filled(heap, 100000, 2));
    check(strcmp(table[2], "three") == 0);
    pass();
}
