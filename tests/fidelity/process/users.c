// Real, effective, saved and file system ids are kept, each by itself.
#include "../fidelity.h"
#include <sys/fsuid.h>

int main(void) {
    if (geteuid()) skip("root");
    must(setresgid(1001, 1002, 1003));
    must(setresuid(2001, 2002, 2003));
    wait_for_clone();
    uid_t users[3];
    gid_t groups[3];
    must(getresuid(&users[0], &users[1], &users[2]));
    must(getresgid(&groups[0], &groups[1], &groups[2]));
    sabotage(users[2] = 0);
    for (int i = 0; i < 3; i++) {
        same(users[i], 2001 + i);
        same(groups[i], 1001 + i);
    }
    same(setfsuid(-1), 2002);
    same(setfsgid(-1), 1002);
    same(setresuid(0, 0, 0), -1);
    same(errno, EPERM);
    pass();
}
