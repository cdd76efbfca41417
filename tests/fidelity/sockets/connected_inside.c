// A connection made through a listening socket, both ends of it in the process.
// clones: 1
#include "../fidelity.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX}, name = {0};
    socklen_t length = sizeof name;
    must(chdir(getenv("FIDELITY_DIR")));
    strcpy(address.sun_path, "socket");
    int listener = must(socket(AF_UNIX, SOCK_STREAM, 0)), client = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(bind(listener, (struct sockaddr *)&address, sizeof address));
    must(listen(listener, 5));
    must(connect(client, (struct sockaddr *)&address, sizeof address));
    int server = must(accept(listener, NULL, NULL));
    same(send(server, "queued", 6, 0), 6);
    close(listener);
    wait_for_clone();
    char text[10] = "";
    same(recv(client, text, 10, 0), 6);
    check(strcmp(text, "queued") == 0);
    must(getpeername(client, (struct sockaddr *)&name, &length));
    check(strcmp(name.sun_path, "socket") == 0);
    same(send(client, "back", 4, 0), 4);
    same(recv(server, text, 10, 0), 4);
    pass();
}
