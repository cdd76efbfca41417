// A listening Unix socket of another network namespace than the process's.
// refused: network namespace
#include "../fidelity.h"
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(bind(fd, (struct sockaddr *)&address, sizeof address.sun_family));
    must(listen(fd, 5));
    if (unshare(CLONE_NEWNET)) skip("network namespaces");
    wait_for_clone();
    pass();
}
