// A static program: memory, heap and data.
#include "../fidelity.h"

static unsigned char data[3 * PAGE] = {1};

int main(void) {
    unsigned char *memory = pages(20), *heap = malloc(100000);
    fill(memory, 10 * PAGE, 1);
    fill(heap, 100000, 2);
    fill(data + PAGE, PAGE, 3);
    wait_for_clone();
    sabotage(data[0]++);
    check(filled(memory, 10 * PAGE, 1) && zeros(memory + 10 * PAGE, 10 * PAGE));
    check(filled(heap, 100000, 2));
    check(data[0] == 1 && filled(data + PAGE, PAGE, 3) && zeros(data + 2 * PAGE, PAGE));
    free(heap);
    check(calloc(1, 200000));
    pass();
}
