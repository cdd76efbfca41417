// What was registered with atexit runs at the end, in the reverse order.
#include "../fidelity.h"

static int order;

static void last(void) {
    if (order != 1) _exit(5);
    dprintf(1, "pass\n");
}

static void first(void) { order++; }

int main(void) {
    atexit(last);
    atexit(first);
    wait_for_clone();
    return 0;
}
