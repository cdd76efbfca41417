// A fanotify group.
// refused: fanotify
#include "../fidelity.h"
#include <sys/fanotify.h>

int main(void) {
    if (fanotify_init(FAN_CLASS_NOTIF, O_RDONLY) == -1) skip("fanotify");
    wait_for_clone();
    pass();
}
