// A program whose file is gone.
// refused: executable
#include "../fidelity.h"
#include <sys/sendfile.h>

int main(int count, char **arguments) {
    if (count == 1) {
        int from = must(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        int to = must(open(scratch("copy"), O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
        while (must(sendfile(to, from, NULL, 1 << 20)) > 0) {}
        close(to);
        must(execl(scratch("copy"), arguments[0], "copy", (char *)NULL));
    }
    must(unlink(scratch("copy")));
    wait_for_clone();
    pass();
}
