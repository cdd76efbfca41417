// Threads that wait to receive from and to send to sockets go on.
#include "../fidelity.h"
#include <sys/socket.h>

static int empty[2], full[2];

static void *receiver(void *unused) {
    char text[10];
    same(TEMP_FAILURE_RETRY(recv(empty[0], text, 10, 0)), 5);
    return unused;
}

static void *sender(void *unused) {
    same(TEMP_FAILURE_RETRY(send(full[0], "x", 1, 0)), 1);
    return unused;
}

int main(void) {
    char block[1000] = "";
    long sent = 0;
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, empty));
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, full));
    while (send(full[0], block, sizeof block, MSG_DONTWAIT) > 0) sent++;
    pthread_t threads[2] = {spawn(receiver, NULL), spawn(sender, NULL)};
    settle();
    wait_for_clone();
    same(send(empty[1], "hello", 5, 0), 5);
    for (long i = 0; i < sent; i++) same(recv(full[1], block, sizeof block, 0), sizeof block);
    same(recv(full[1], block, sizeof block, 0), 1);
    join(threads[0]), join(threads[1]);
    pass();
}
