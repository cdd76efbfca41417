// A BPF program.
// refused: BPF
#include "../fidelity.h"
#include <linux/bpf.h>

int main(void) {
    struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr attributes = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = (uintptr_t)code, .insn_cnt = 2,
                                 .license = (uintptr_t) "none"};
    if (syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes) == -1) skip("BPF");
    wait_for_clone();
    pass();
}
