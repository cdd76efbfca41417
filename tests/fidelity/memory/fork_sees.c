// A child of the clone sees the clone's memory, and its writes are its own.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(16), *written = pages(16);
    fill(memory, 16 * PAGE, 1);
    fill(written, 16 * PAGE, 2);
    wait_for_clone();
    fill(written, 8 * PAGE, 3);
    check(in_child(filled(memory, 16 * PAGE, 1) && filled(written, 8 * PAGE, 3) && !zeros(written + 8 * PAGE, 8 * PAGE)));
    check(in_child((fill(memory, 16 * PAGE, 4), filled(memory, 16 * PAGE, 4))));
    check(in_child(in_child((fill(memory, 16 * PAGE, 5), filled(memory, 16 * PAGE, 5))) && filled(memory, 16 * PAGE, 1)));
    check(filled(memory, 16 * PAGE, 1));
    pass();
}
