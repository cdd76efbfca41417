// A raw IP socket.
// refused: raw
#include "../fidelity.h"
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    if (socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) == -1) skip("CAP_NET_RAW");
    wait_for_clone();
    pass();
}
