// Memory that a userfaultfd serves.
// refused: userfaultfd
#include "../fidelity.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

int main(void) {
    struct uffdio_api api = {.api = UFFD_API};
    int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
    if (fd == -1 || ioctl(fd, UFFDIO_API, &api)) skip("userfaultfd");
    unsigned char *memory = pages(4);
    struct uffdio_register range = {.range = {(uintptr_t)memory, 4 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    must(ioctl(fd, UFFDIO_REGISTER, &range));
    wait_for_clone();
    pass();
}
