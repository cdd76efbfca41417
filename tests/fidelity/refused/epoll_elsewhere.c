// An epoll that another process has open.
// refused: epoll
#include "stranger.h"
#include <sys/epoll.h>

int main(void) {
    must(epoll_create1(0));
    make_stranger(NULL);
    wait_for_clone();
    pass();
}
