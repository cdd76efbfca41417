// Locale, time zone and random state of libc are as the program set them.
#include "../fidelity.h"
#include <locale.h>

int main(void) {
    setlocale(LC_ALL, "C.UTF-8");
    setenv("TZ", "XYZ-3", 1);
    tzset();
    srandom(7);
    random();
    long expected = random();
    srandom(7);
    random();
    wait_for_clone();
    sabotage(random());
    same(random(), expected);
    check(strcmp(setlocale(LC_ALL, NULL), "C.UTF-8") == 0);
    same(mblen("\xc3\xa4", 2), 2);
    time_t epoch = 0;
    same(localtime(&epoch)->tm_hour, 3);
    pass();
}
