// Two threads that pass a megabyte through a pipe while they are frozen lose and double nothing.
#include "../fidelity.h"

static int fds[2];
static int go[2];

static void *writer(void *unused) {
    unsigned char block[1000];
    char byte;
    for (int i = 0; i < 2000; i++) {
        fill(block, sizeof block, i);
        same(TEMP_FAILURE_RETRY(write(fds[1], block, sizeof block)), sizeof block);
        if (i == 1000) while (read(go[0], &byte, 1) != 1) {}
    }
    close(fds[1]);
    return unused;
}

static void *reader(void *unused) {
    unsigned char block[1000];
    for (int i = 0; i < 2000; i++) {
        for (size_t at = 0; at < sizeof block;) {
            ssize_t got = read(fds[0], block + at, sizeof block - at);
            if (got == -1 && errno == EINTR) continue;
            check(got > 0);
            at += got;
        }
        check(filled(block, sizeof block, i));
    }
    same(read(fds[0], block, 1), 0);
    return unused;
}

int main(void) {
    must(pipe(fds));
    must(pipe(go));
    pthread_t threads[2] = {spawn(writer, NULL), spawn(reader, NULL)};
    wait_for_clone(); // at once: they are under way
    must(write(go[1], "x", 1));
    join(threads[0]), join(threads[1]);
    pass();
}
