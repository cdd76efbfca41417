// Shared anonymous memory that another process maps as well.
// refused: shared
#include "stranger.h"

static int *counter;

static void count(void) { ++*counter; }

int main(void) {
    counter = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    make_stranger(count);
    wait_for_clone();
    same(*counter, 1);
    pass();
}
