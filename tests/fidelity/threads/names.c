// Thread names are kept, in pthread_getname_np and in /proc.
#include "../fidelity.h"

static int go[2];

static void *named(void *index) {
    char name[16], path[64], byte;
    snprintf(name, sizeof name, "worker %ld", (long)index);
    must_zero(pthread_setname_np(pthread_self(), name));
    while (read(go[0], &byte, 1) != 1) {}
    char after[16];
    must_zero(pthread_getname_np(pthread_self(), after, sizeof after));
    if (strcmp(name, after)) fail("%s has become %s", name, after);
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
    check(strncmp(contents_of(path, NULL), name, strlen(name)) == 0);
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    must(pipe(go));
    must_zero(pthread_setname_np(pthread_self(), "fifteen letters"));
    for (long i = 0; i < 4; i++) threads[i] = spawn(named, (void *)i);
    settle();
    wait_for_clone();
    sabotage(pthread_setname_np(pthread_self(), "another"));
    check(strcmp(contents_of("/proc/self/comm", NULL), "fifteen letters\n") == 0);
    must(write(go[1], "1234", 4));
    for (int i = 0; i < 4; i++) join(threads[i]);
    pass();
}
