// A BPF map.
// refused: BPF
#include "../fidelity.h"
#include <linux/bpf.h>

int main(void) {
    union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4};
    if (syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes) == -1) skip("BPF");
    wait_for_clone();
    pass();
}
