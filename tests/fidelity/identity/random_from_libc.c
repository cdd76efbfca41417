// libc's arc4random, which may keep a buffer of its own, differs from every other clone's.
#include "../fidelity.h"
#include <dlfcn.h>

int main(void) {
    unsigned (*draw)(void) = (unsigned (*)(void))dlsym(RTLD_DEFAULT, "arc4random");
    if (!draw) skip("arc4random");
    char name[64] = "drawn-";
    draw();
    wait_for_clone();
    for (int i = 0; i < 4; i++) sprintf(name + 6 + 8 * i, "%08x", draw());
    must(open(scratch(name), O_CREAT | O_EXCL | O_WRONLY, 0644));
    pass();
}
