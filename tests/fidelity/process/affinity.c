// A thread bound to one processor stays bound; others stay free.
#include "../fidelity.h"
#include <sched.h>

int main(void) {
    cpu_set_t all, one, now;
    must(sched_getaffinity(0, sizeof all, &all));
    if (CPU_COUNT(&all) < 2) skip("two processors");
    int last = 1023;
    while (!CPU_ISSET(last, &all)) last--;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    must(sched_setaffinity(0, sizeof one, &one));
    wait_for_clone();
    sabotage(sched_setaffinity(0, sizeof all, &all));
    must(sched_getaffinity(0, sizeof now, &now));
    check(CPU_EQUAL(&one, &now));
    same(sched_getcpu(), last);
    pass();
}
