// Fifty pipes, each with its own content, are not mixed up.
#include "../fidelity.h"

int main(void) {
    int fds[50][2];
    for (int i = 0; i < 50; i++) {
        must(pipe(fds[i]));
        for (int j = 0; j <= i; j++) same(write(fds[i][1], &i, sizeof i), sizeof i);
    }
    wait_for_clone();
    for (int i = 0; i < 50; i++) {
        int values[51];
        same(read(fds[i][0], values, sizeof values), (i + 1) * sizeof i);
        for (int j = 0; j <= i; j++) same(values[j], i);
    }
    pass();
}
