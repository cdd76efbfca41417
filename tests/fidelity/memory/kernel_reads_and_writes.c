// System calls can read from and write to memory that the clone has not touched yet.
#include "../fidelity.h"

int main(void) {
    unsigned char *memory = pages(8), expected[4 * PAGE];
    fill(memory, 4 * PAGE, 1);
    fill(expected, 4 * PAGE, 1);
    fill(memory + 4 * PAGE, 4 * PAGE, 2);
    int pipe_fds[2];
    must(pipe(pipe_fds));
    wait_for_clone();
    same(write(pipe_fds[1], memory, 4 * PAGE), 4 * PAGE);
    same(read(pipe_fds[0], memory + 4 * PAGE, 4 * PAGE), 4 * PAGE);
    check(memcmp(memory + 4 * PAGE, expected, 4 * PAGE) == 0);
    same(write(pipe_fds[1], memory, PAGE), PAGE);
    check(filled(memory, 4 * PAGE, 1));
    pass();
}
