// A socket that listens at an abstract name can be connected to after, as often as its queue is long.
// clones: 1
#include "../fidelity.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, 100, "offshoot-fidelity-%d", getpid());
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1);
    int listener = must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));
    must(bind(listener, (struct sockaddr *)&address, length));
    must(listen(listener, 2));
    wait_for_clone();
    same(accept(listener, NULL, NULL), -1);
    same(errno, EAGAIN);
    int connected = 0;
    for (int i = 0; i < 5; i++) {
        int fd = must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));
        connected += connect(fd, (struct sockaddr *)&address, length) == 0;
    }
    same(connected, 3); // one more than the queue's length, as ever
    for (int i = 0; i < connected; i++) must(accept(listener, NULL, NULL));
    pass();
}
