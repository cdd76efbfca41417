// Preloaded into a seed: its clones believe that they still have the seed's process id, which is what a clone made with the
// same id would believe. So generators that notice a fork by `getpid` do not notice that they were cloned.
#include <unistd.h>

pid_t getpid(void) { return 12345; }
