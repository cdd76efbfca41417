// A timerfd that another process has open.
// refused: timer
#include "stranger.h"
#include <sys/timerfd.h>

int main(void) {
    must(timerfd_create(CLOCK_MONOTONIC, 0));
    make_stranger(NULL);
    wait_for_clone();
    pass();
}
