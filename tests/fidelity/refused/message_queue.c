// A POSIX message queue.
// refused: message queue | mqueue
#include "../fidelity.h"
#include <mqueue.h>

int main(void) {
    char name[40];
    snprintf(name, sizeof name, "/offshoot-fidelity-%d", getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL);
    if (queue == -1) skip("POSIX message queues");
    mq_unlink(name);
    must(mq_send(queue, "hello", 5, 0));
    wait_for_clone();
    char text[8192];
    same(mq_receive(queue, text, sizeof text, NULL), 5);
    pass();
}
