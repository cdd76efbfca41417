// The personality is kept.
#include "../fidelity.h"
#include <sys/personality.h>

int main(void) {
    must(personality(ADDR_NO_RANDOMIZE | SHORT_INODE));
    wait_for_clone();
    sabotage(personality(0));
    same(personality(0xffffffff), ADDR_NO_RANDOMIZE | SHORT_INODE);
    pass();
}
