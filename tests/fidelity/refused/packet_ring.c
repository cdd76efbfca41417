// The ring of a packet socket, still mapped after the socket is closed.
// refused: packet | device | special
#include "../fidelity.h"
#include <linux/if_packet.h>
#include <sys/socket.h>

int main(void) {
    struct tpacket_req ring = {.tp_block_size = PAGE, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 8};
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (fd == -1 || setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring)) skip("packet sockets");
    must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    close(fd);
    wait_for_clone();
    pass();
}
