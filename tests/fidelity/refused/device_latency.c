// A promise about latency, which holds as long as the device is open.
// refused: cpu_dma_latency
#include "../fidelity.h"

int main(void) {
    if (open("/dev/cpu_dma_latency", O_RDWR) == -1) skip("/dev/cpu_dma_latency");
    wait_for_clone();
    pass();
}
