// A socket pair goes on between the clone and its child, and passes descriptors.
#include "../fidelity.h"
#include <sys/socket.h>

static bool send_descriptor(int channel, int fd) {
    char byte = 'x', control[CMSG_SPACE(sizeof fd)] = "";
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(channel, &message, 0) == 1;
}

static int receive_descriptor(int channel) {
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int fd;
    same(recvmsg(channel, &message, 0), 1);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

int main(void) {
    int fds[2], inner[2];
    char text[10] = "";
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    must(pipe(inner));
    wait_for_clone();
    check(in_child(send_descriptor(fds[0], inner[1])));
    int got = receive_descriptor(fds[1]);
    same(write(got, "hello", 5), 5);
    same(read(inner[0], text, 10), 5);
    pass();
}
