// Zeros after MADV_DONTNEED hold also when the kernel is the first to look or to write.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(4);
    fill(memory, 4 * PAGE, 1);
    int pipe_fds[2];
    must(pipe(pipe_fds));
    wait_for_clone();
    must(madvise(memory, 4 * PAGE, MADV_DONTNEED));
    same(write(pipe_fds[1], memory, PAGE), PAGE);
    same(read(pipe_fds[0], memory + PAGE + 100, 1000), 1000);
    check(zeros(memory, 4 * PAGE));
    memory[PAGE] = 1;
    check(zeros(memory + PAGE + 1, 3 * PAGE - 1));
    pass();
}
