// A socket that listens at a path can be connected to after, and a thread that waits in accept gets the connection.
// clones: 1
#include "../fidelity.h"
#include <sys/socket.h>
#include <sys/un.h>

static int listener;

static void *accepter(void *unused) {
    char text[10] = "";
    int fd = must(TEMP_FAILURE_RETRY(accept(listener, NULL, NULL)));
    same(recv(fd, text, 10, 0), 5);
    same(send(fd, text, 5, 0), 5);
    return unused;
}

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX}, now = {0};
    socklen_t length = sizeof now;
    must(chdir(getenv("FIDELITY_DIR")));
    strcpy(address.sun_path, "socket"); // a relative path: absolute ones may be too long
    listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(bind(listener, (struct sockaddr *)&address, sizeof address));
    must(listen(listener, 5));
    pthread_t thread = spawn(accepter, NULL);
    settle();
    wait_for_clone();
    must(getsockname(listener, (struct sockaddr *)&now, &length));
    check(strcmp(now.sun_path, "socket") == 0);
    int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(connect(fd, (struct sockaddr *)&address, sizeof address));
    same(send(fd, "hello", 5, 0), 5);
    char text[10] = "";
    same(recv(fd, text, 10, 0), 5);
    check(strcmp(text, "hello") == 0);
    join(thread);
    pass();
}
