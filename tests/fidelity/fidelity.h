// What every fidelity program in C shares; README.md has the contract between a program and the runner.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define SECOND_NS 1000000000LL

// ---- the contract ----

// Prints "fail: why" and ends the program.
__attribute__((noreturn, format(printf, 1, 2))) static inline void fail(const char *format, ...) {
    char why[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    dprintf(1, "fail: %s\n", why);
    _exit(1);
}

// Prints "pass" and ends the program.
__attribute__((noreturn)) static inline void pass(void) {
    dprintf(1, "pass\n");
    exit(0);
}

// Ends the program because the machine lacks something. Only before `announce`.
__attribute__((noreturn)) static inline void skip(const char *capability) {
    dprintf(1, "skip: %s\n", capability);
    exit(77);
}

// Says that everything is prepared.
static inline void announce(void) {
    if (write(1, "ready\n", 6) != 6) _exit(2);
}

// Waits until the runner, or whoever made the clone, gives a byte.
static inline void await_byte(void) {
    char byte;
    ssize_t got;
    while ((got = read(0, &byte, 1)) == -1 && errno == EINTR) {}
    if (got != 1) fail("no byte on descriptor 0: %s", got ? strerror(errno) : "end of file");
}

// The point at which the program is frozen and cloned.
static inline void wait_for_clone(void) {
    announce();
    await_byte();
}

// Whether the runner runs the program without cloning it.
static inline bool native(void) { return getenv("FIDELITY_NATIVE") != NULL; }

// The positive control: with --sabotage the statement changes what is verified next, and the program must fail.
#define sabotage(statement)                                  \
    do {                                                     \
        if (getenv("FIDELITY_SABOTAGE")) { statement; }      \
    } while (0)

// ---- checks ----

// Fails, naming the condition, unless it holds.
#define check(condition)                                                                              \
    do {                                                                                              \
        if (!(condition)) fail("line %d: %s (errno %d)", __LINE__, #condition, errno);                \
    } while (0)

// Fails, naming both values, unless they are the same.
#define same(actual, expected)                                                                        \
    do {                                                                                              \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);                   \
        if (actual_ != expected_) fail("line %d: %s is %lld, not %lld", __LINE__, #actual, actual_, expected_); \
    } while (0)

// The value of a call that must not return -1.
#define must(call)                                                                                    \
    ({                                                                                                \
        __typeof__(call) result_ = (call);                                                            \
        if (result_ == (__typeof__(call))-1) fail("line %d: %s: %s", __LINE__, #call, strerror(errno)); \
        result_;                                                                                      \
    })

// A call that returns 0 or an error number, as those of pthreads do.
#define must_zero(call)                                                                               \
    do {                                                                                              \
        int error_ = (call);                                                                          \
        if (error_) fail("line %d: %s: %s", __LINE__, #call, strerror(error_));                       \
    } while (0)

// Whether the expression holds in a child that `fork` makes now.
#define in_child(expression)                                                                          \
    ({                                                                                                \
        pid_t child_ = must(fork());                                                                  \
        if (child_ == 0) _exit((expression) ? 0 : 1);                                                 \
        int status_;                                                                                  \
        must(TEMP_FAILURE_RETRY(waitpid(child_, &status_, 0)));                                       \
        status_ == 0;                                                                                 \
    })

// Whether the statement kills a child with this signal.
#define dies_of(signal_number, statement)                                                             \
    ({                                                                                                \
        pid_t child_ = must(fork());                                                                  \
        if (child_ == 0) {                                                                            \
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});                                           \
            signal((signal_number), SIG_DFL);                                                         \
            statement;                                                                                \
            _exit(0);                                                                                 \
        }                                                                                             \
        int status_;                                                                                  \
        must(TEMP_FAILURE_RETRY(waitpid(child_, &status_, 0)));                                       \
        WIFSIGNALED(status_) && WTERMSIG(status_) == (signal_number);                                 \
    })
#define read_faults(address) dies_of(SIGSEGV, (void)*(volatile char *)(address))
#define write_faults(address) dies_of(SIGSEGV, *(volatile char *)(address) = 1)

// ---- memory ----

// Anonymous private memory, readable and writable.
static inline unsigned char *pages(size_t count) {
    return must(mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static inline unsigned char pattern(size_t index, unsigned seed) {
    return (unsigned char)(((index + seed) * 2654435761u) >> 13 | 1);
}

// Fills memory with a pattern that has no zero byte.
static inline void fill(void *memory, size_t bytes, unsigned seed) {
    for (size_t i = 0; i < bytes; i++) ((unsigned char *)memory)[i] = pattern(i, seed);
}

// Whether memory still holds what `fill` wrote.
static inline bool filled(const void *memory, size_t bytes, unsigned seed) {
    for (size_t i = 0; i < bytes; i++) {
        if (((const unsigned char *)memory)[i] != pattern(i, seed)) return false;
    }
    return true;
}

// Whether all bytes are zero.
static inline bool zeros(const void *memory, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (((const unsigned char *)memory)[i]) return false;
    }
    return true;
}

// Whether the mapping at this address has this flag among its VmFlags (proc_pid_smaps(5)).
static inline bool vm_flag(const void *address, const char *flag) {
    FILE *smaps = fopen("/proc/self/smaps", "re");
    char line[4096], wanted[8];
    unsigned long start, end;
    bool inside = false, found = false;
    if (!smaps) fail("/proc/self/smaps: %s", strerror(errno));
    snprintf(wanted, sizeof wanted, " %s", flag);
    while (fgets(line, sizeof line, smaps)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) inside = start <= (uintptr_t)address && (uintptr_t)address < end;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, wanted) != NULL;
    }
    fclose(smaps);
    return found;
}

// ---- files ----

// The path of a file in the scratch directory; all clones share it.
static inline char *scratch(const char *name) {
    const char *directory = getenv("FIDELITY_DIR");
    if (!directory) fail("FIDELITY_DIR is not set");
    size_t bytes = strlen(directory) + strlen(name) + 2;
    char *path = malloc(bytes);
    snprintf(path, bytes, "%s/%s", directory, name);
    return path;
}

// A path in the scratch directory that no other clone has.
static inline char *own(const char *name) {
    unsigned long long number;
    char unique[300];
    check(getrandom(&number, sizeof number, 0) == sizeof number);
    snprintf(unique, sizeof unique, "%s-%d-%llx", name, getpid(), number);
    return scratch(unique);
}

// A new file with this content in the scratch directory, open for reading and writing at its beginning.
static inline int new_file(const char *name, const void *content, size_t bytes) {
    int fd = must(open(scratch(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    same(pwrite(fd, content, bytes, 0), bytes);
    return fd;
}

// What a small file holds, as a string; `bytes`, if given, becomes its length.
static inline char *contents_of(const char *path, size_t *bytes) {
    int fd = must(open(path, O_RDONLY | O_CLOEXEC));
    size_t room = 1 << 16, length = 0;
    char *content = malloc(room);
    ssize_t got;
    while ((got = must(read(fd, content + length, room - length - 1))) > 0) {
        length += got;
        if (length + 1 == room) content = realloc(content, room *= 2);
    }
    close(fd);
    content[length] = 0;
    if (bytes) *bytes = length;
    return content;
}

// The value behind a key such as "CapEff:" in /proc/thread-self/status.
static inline char *status_of(const char *key) {
    char *line = strstr(contents_of("/proc/thread-self/status", NULL), key);
    if (!line) fail("%s is not in /proc/thread-self/status", key);
    line += strlen(key);
    line[strcspn(line, "\n")] = 0;
    return strdup(line);
}

// Whether a read from this descriptor would not block, waiting at most so long.
static inline bool readable(int fd, int timeout_ms) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int ready;
    while ((ready = poll(&wait, 1, timeout_ms)) == -1 && errno == EINTR) {}
    return ready == 1 && wait.revents & POLLIN;
}

// ---- time and threads ----

static inline long long now_ns(clockid_t clock) {
    struct timespec now;
    must(clock_gettime(clock, &now));
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static inline void sleep_ms(long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {}
}

// Lets other threads reach the call in which they are to be frozen.
static inline void settle(void) { sleep_ms(30); }

// Whether the condition comes true within five seconds.
#define eventually(condition)                                                                         \
    ({                                                                                                \
        long long until_ = now_ns(CLOCK_MONOTONIC) + 5 * SECOND_NS;                                   \
        while (!(condition) && now_ns(CLOCK_MONOTONIC) < until_) sleep_ms(2);                         \
        (condition);                                                                                  \
    })

static inline pthread_t spawn(void *(*run)(void *), void *argument) {
    pthread_t thread;
    must_zero(pthread_create(&thread, NULL, run, argument));
    return thread;
}

// What the thread returns.
static inline void *join(pthread_t thread) {
    void *value;
    must_zero(pthread_join(thread, &value));
    return value;
}
