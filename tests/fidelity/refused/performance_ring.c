// The ring of a performance counter, mapped.
// refused: perf_event | device | special
#include "../fidelity.h"
#include <linux/perf_event.h>

int main(void) {
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_CPU_CLOCK};
    int fd = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
    if (fd == -1) skip("perf_event_open");
    must(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    close(fd);
    wait_for_clone();
    pass();
}
