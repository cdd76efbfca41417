// A directory stream (opendir), half read, and a directory used with openat.
#include "../fidelity.h"
#include <dirent.h>

int main(void) {
    char name[20];
    for (int i = 0; i < 50; i++) snprintf(name, sizeof name, "entry-%02d", i), close(new_file(name, name, 8));
    DIR *stream = opendir(getenv("FIDELITY_DIR"));
    check(stream);
    int count = 0;
    for (int i = 0; i < 20; i++) count += strncmp(readdir(stream)->d_name, "entry-", 6) == 0;
    wait_for_clone();
    for (struct dirent *entry; (entry = readdir(stream));) count += strncmp(entry->d_name, "entry-", 6) == 0;
    same(count, 50);
    int fd = must(openat(dirfd(stream), "entry-07", O_RDONLY));
    char text[9] = "";
    same(read(fd, text, 8), 8);
    check(strcmp(text, "entry-07") == 0);
    pass();
}
