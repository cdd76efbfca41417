// A TCP connection over loopback, both ends of it in the process.
#pragma once
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

struct connection {
    int listener, client;
};

// Connects; the server's end has not been accepted yet.
static inline struct connection connect_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct connection made = {must(socket(AF_INET, SOCK_STREAM, 0)), must(socket(AF_INET, SOCK_STREAM, 0))};
    must(bind(made.listener, (struct sockaddr *)&address, length));
    must(listen(made.listener, 5));
    must(getsockname(made.listener, (struct sockaddr *)&address, &length));
    must(connect(made.client, (struct sockaddr *)&address, length));
    return made;
}
