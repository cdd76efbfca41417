// A descriptor with the highest number that the limit allows.
#include "../fidelity.h"

int main(void) {
    struct rlimit limit;
    must(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max < 300000 ? limit.rlim_max : 300000;
    if (limit.rlim_cur < 5000) skip("a hard limit of 5000 descriptors");
    must(setrlimit(RLIMIT_NOFILE, &limit));
    int last = (int)limit.rlim_cur - 1;
    must(dup2(new_file("data", "content", 7), last));
    must(lseek(last, 3, SEEK_SET));
    wait_for_clone();
    char text[5] = "";
    same(read(last, text, 4), 4);
    check(strcmp(text, "tent") == 0);
    same(dup2(last, last + 1), -1);
    pass();
}
