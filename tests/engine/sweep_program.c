// What the sweeps freeze: a thread, a memory file, a pipe with bytes, an eventfd, a timer, an epoll set. A byte or
// the end of standard input makes it write one line, which is right only if all of that has come along.
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BYTES = 96 * 4096 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER;
static int question;
static uint64_t answer;

static uint64_t sum(const unsigned char *bytes) {
    uint64_t hash = 0xcbf29ce484222325;
    for (int i = 0; i < BYTES; i++) hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

static void *add(void *bytes) {
    pthread_mutex_lock(&lock);
    while (!question) pthread_cond_wait(&asked, &lock);
    answer = sum(bytes);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) count++;
    closedir(directory);
    return count - 3; // ".", ".." and the directory itself
}

int main(void) {
    syscall(SYS_close_range, 3, ~0U, 0);
    unsigned char *heap = malloc(BYTES);
    int memory = memfd_create("memory", MFD_CLOEXEC);
    if (ftruncate(memory, BYTES)) return 1;
    unsigned char *shared = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    for (int i = 0; i < BYTES; i++) heap[i] = i * 7 + i / 4096, shared[i] = i * 13 + i / 4096;
    int ends[2], event = eventfd(3, EFD_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, 0), set = epoll_create1(0);
    if (pipe(ends) || write(ends[1], "piped", 5) != 5) return 2;
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = event};
    struct itimerspec hour = {.it_value.tv_sec = 3600};
    if (epoll_ctl(set, EPOLL_CTL_ADD, event, &wanted) || timerfd_settime(timer, 0, &hour, NULL)) return 3;
    pthread_t thread;
    if (pthread_create(&thread, NULL, add, heap)) return 4;

    char byte, piped[6] = "";
    if (write(1, "ready\n", 6) != 6) return 5;
    if (read(0, &byte, 1) < 0) return 6;
    pthread_mutex_lock(&lock);
    question = 1;
    pthread_cond_signal(&asked);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);

    uint64_t events = 0;
    struct epoll_event got = {0};
    struct itimerspec left;
    if (read(ends[0], piped, 5) != 5 || epoll_wait(set, &got, 1, 0) != 1 || read(event, &events, 8) != 8) return 7;
    if (timerfd_gettime(timer, &left) || left.it_value.tv_sec == 0) return 8;
    char line[200];
    int length = snprintf(line, sizeof line, "%016lx %016lx %s %d %lu %d\n", answer, sum(shared), piped,
                          got.data.fd == event, events, open_descriptors());
    return write(1, line, length) == length ? 0 : 9;
}
