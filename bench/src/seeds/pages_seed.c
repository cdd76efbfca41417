// A function with 630 MB of state that serves requests: `pages_seed SOURCE SINK`, both being descriptors.
//
// A request is four bytes of length, little-endian, and JSON such as {"first": 5}: the checksum of 16 pages is wanted that
// lie far apart. An answer has the same form. Any other JSON is answered without touching the state.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATE_BYTES (630UL * 1000 * 1000)
#define WORDS_OF_PAGE (4096 / sizeof(uint64_t))
#define PAGES (STATE_BYTES / 4096)
#define PAGES_OF_REQUEST 16
#define MAX_REQUEST_BYTES 4096

static uint64_t *state;

// All of it, or the program ends: there is nobody to answer to.
static void read_all(int source, void *to, size_t count) {
    for (char *at = to; count > 0;) {
        ssize_t got = read(source, at, count);
        if (got <= 0) _exit(got < 0);
        at += got, count -= (size_t)got;
    }
}

static void fill(void) {
    state = mmap(NULL, STATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED) _exit(1);
    for (size_t at = 0; at < PAGES * WORDS_OF_PAGE; at++) state[at] = (at + 1) * 0x9E3779B97F4A7C15u;
}

// FNV-1a, a word at a time.
static uint64_t checksum(size_t first) {
    uint64_t sum = 0xCBF29CE484222325u;
    for (size_t page = 0; page < PAGES_OF_REQUEST; page++) {
        size_t at = (first + page * (PAGES / PAGES_OF_REQUEST)) % PAGES * WORDS_OF_PAGE;
        for (size_t word = 0; word < WORDS_OF_PAGE; word++) sum = (sum ^ state[at + word]) * 0x100000001B3u;
    }
    return sum;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int source = atoi(arguments[1]), sink = atoi(arguments[2]);
    fill();
    for (;;) {
        static char request[MAX_REQUEST_BYTES + 1], answer[4 + 64];
        uint32_t bytes;
        read_all(source, &bytes, sizeof bytes);
        if (bytes > MAX_REQUEST_BYTES) return 1;
        read_all(source, request, bytes);
        request[bytes] = '\0';
        const char *colon = strchr(request, ':');
        uint64_t sum = colon == NULL ? 0 : checksum(strtoul(colon + 1, NULL, 10));
        uint32_t length = (uint32_t)snprintf(answer + 4, 64, "{\"answer\": \"%016lx\"}", (unsigned long)sum);
        memcpy(answer, &length, sizeof length);
        if (write(sink, answer, 4 + length) != (ssize_t)(4 + length)) return 1;
    }
}
