// A descriptor under way through a Unix socket.
// refused: SCM_RIGHTS
#include "../fidelity.h"
#include <sys/socket.h>

int main(void) {
    int fds[2];
    char byte = 'x', control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fds[0], sizeof(int));
    same(sendmsg(fds[0], &message, 0), 1);
    wait_for_clone();
    same(recvmsg(fds[1], &message, 0), 1);
    check(CMSG_FIRSTHDR(&message));
    pass();
}
