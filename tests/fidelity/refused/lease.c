// A file with a lease.
// refused: lease
#include "../fidelity.h"

int main(void) {
    close(new_file("data", "content", 7));
    int fd = must(open(scratch("data"), O_RDONLY));
    if (fcntl(fd, F_SETLEASE, F_RDLCK)) skip("leases");
    wait_for_clone();
    same(fcntl(fd, F_GETLEASE), F_RDLCK);
    pass();
}
