// The ring of asynchronous input and output (io_setup).
// refused: aio | asynchronous
#include "../fidelity.h"

int main(void) {
    unsigned long context = 0;
    if (syscall(SYS_io_setup, 8, &context)) skip("io_setup");
    wait_for_clone();
    must(syscall(SYS_io_destroy, context));
    pass();
}
