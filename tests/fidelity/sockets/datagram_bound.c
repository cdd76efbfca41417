// A datagram socket bound to an abstract name, with a message in its queue.
// clones: 1
#include "../fidelity.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, 100, "offshoot-datagram-%d", getpid());
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1);
    int fd = must(socket(AF_UNIX, SOCK_DGRAM, 0)), sender = must(socket(AF_UNIX, SOCK_DGRAM, 0));
    must(bind(fd, (struct sockaddr *)&address, length));
    same(sendto(sender, "before", 6, 0, (struct sockaddr *)&address, length), 6);
    wait_for_clone();
    char text[10] = "";
    same(recv(fd, text, 10, MSG_DONTWAIT), 6);
    same(sendto(sender, "after", 5, 0, (struct sockaddr *)&address, length), 5);
    same(recv(fd, text, 10, 0), 5);
    pass();
}
