// A thread without restartable sequences has none afterwards.
#include "../fidelity.h"
#include <sys/rseq.h>

int main(void) {
    struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    if (!__rseq_size || syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG)) skip("restartable sequences");
    wait_for_clone();
    must(syscall(SYS_rseq, area, 32, 0, RSEQ_SIG));
    pass();
}
