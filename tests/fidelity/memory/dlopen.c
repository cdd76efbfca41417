// A library opened before works, and others can be opened and closed after.
#include "../fidelity.h"
#include <dlfcn.h>

int main(void) {
    void *library = dlopen("libm.so.6", RTLD_NOW);
    if (!library) skip("libm.so.6");
    double (*cosine)(double) = (double (*)(double))dlsym(library, "cos");
    check(cosine);
    wait_for_clone();
    check(cosine(0) == 1);
    check(dlsym(library, "tan"));
    dlclose(library);
    void *other = dlopen("libanl.so.1", RTLD_NOW);
    if (!other) fail("%s", dlerror());
    Dl_info found;
    check(dladdr((void *)printf, &found) && strstr(found.dli_fname, "libc.so"));
    pass();
}
