// A mapping of a block device.
// refused: device
#include "../fidelity.h"

int main(void) {
    int fd = open("/dev/loop0", O_RDONLY);
    if (fd == -1) skip("/dev/loop0");
    if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED) skip("mapping /dev/loop0");
    close(fd);
    wait_for_clone();
    pass();
}
