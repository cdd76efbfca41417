// A process whose main thread has ended while another goes on.
// refused: ended | main thread
#include "../fidelity.h"

static void *last(void *unused) {
    settle(); // the main thread ends meanwhile
    wait_for_clone();
    pass();
    return unused;
}

int main(void) {
    spawn(last, NULL);
    pthread_exit(NULL);
}
