// A jump prepared before with sigsetjmp can be taken after, out of a handler.
#include "../fidelity.h"
#include <setjmp.h>

static sigjmp_buf place;

static void leave(int signal) { siglongjmp(place, signal); }

int main(void) {
    volatile int rounds = 0;
    signal(SIGUSR1, leave);
    int came = sigsetjmp(place, 1);
    if (came == 0) {
        wait_for_clone();
        raise(SIGUSR1);
        fail("the handler returned");
    }
    same(came, SIGUSR1);
    if (rounds++ < 3) raise(SIGUSR1);
    same(rounds, 4);
    pass();
}
