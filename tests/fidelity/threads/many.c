// A hundred parked threads are all there and all end.
#include "../fidelity.h"
#include <dirent.h>
#define COUNT 100

static int go[2];

static void *parked(void *value) {
    char byte;
    while (read(go[0], &byte, 1) != 1) {}
    return value;
}

static int count_tasks(void) {
    DIR *tasks = opendir("/proc/self/task");
    int count = -2; // . and ..
    check(tasks);
    while (readdir(tasks)) count++;
    closedir(tasks);
    return count;
}

int main(void) {
    pthread_t threads[COUNT];
    must(pipe(go));
    for (long i = 0; i < COUNT; i++) threads[i] = spawn(parked, (void *)i);
    settle();
    wait_for_clone();
    same(count_tasks(), COUNT + 1);
    for (int i = 0; i < COUNT; i++) must(write(go[1], "x", 1));
    for (long i = 0; i < COUNT; i++) same((long)join(threads[i]), i);
    check(eventually(count_tasks() == 1));
    pass();
}
