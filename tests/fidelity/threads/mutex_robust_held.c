// The robust list itself is kept: the kernel knows the same head for each thread.
#include "../fidelity.h"

struct robust {
    void *head;
    size_t bytes;
};
static int pipe_fds[2];

static struct robust read_robust(void) {
    struct robust list;
    must(syscall(SYS_get_robust_list, 0, &list.head, &list.bytes));
    return list;
}

static void *other(void *unused) {
    struct robust before = read_robust(), after;
    char byte;
    while (read(pipe_fds[0], &byte, 1) != 1) {}
    after = read_robust();
    check(before.head == after.head && before.bytes == after.bytes);
    return unused;
}

int main(void) {
    must(pipe(pipe_fds));
    pthread_t thread = spawn(other, NULL);
    struct robust before = read_robust();
    settle();
    wait_for_clone();
    struct robust after = read_robust();
    sabotage(after.bytes++);
    check(before.head == after.head && before.bytes == after.bytes);
    must(write(pipe_fds[1], "x", 1));
    join(thread);
    pass();
}
