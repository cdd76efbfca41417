// Processes that join sandboxes, as clones of a seed do: `joiner`, whose standard input is a Unix socket (SOCK_SEQPACKET).
//
// A request is the namespaces as setns(2) takes them (uint32_t) with descriptors: the pidfd of the sandbox's init, its
// cgroup2 directory, and the `tasks` files of its version 1 groups. A process is forked that attaches itself to the groups,
// joins the namespaces, writes a file and exits. The answer, when it has exited, is how long it took to join, in nanoseconds
// of the clock and of the processor, and 0 or the errno of what failed. The fork is in none of the times: of joining, it has
// the version 2 group only (CLONE_INTO_CGROUP). The namespace of process ids must be joined by the parent; that is in.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 16

struct answer {
    int64_t wall_ns, cpu_ns, error;
};

struct request {
    uint32_t namespaces;
    int count, fds[MAX_FDS];
};

static int64_t now_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void begin(struct answer *answer) {
    answer->wall_ns -= now_ns(CLOCK_MONOTONIC);
    answer->cpu_ns -= now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void end(struct answer *answer) {
    answer->cpu_ns += now_ns(CLOCK_PROCESS_CPUTIME_ID);
    answer->wall_ns += now_ns(CLOCK_MONOTONIC);
}

// 0 at the end of the socket.
static int receive(struct request *request) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * MAX_FDS)];
    } control;
    struct iovec body = {&request->namespaces, sizeof request->namespaces};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(0, &message, MSG_CMSG_CLOEXEC) != sizeof request->namespaces) return 0;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights == NULL || rights->cmsg_type != SCM_RIGHTS) return 0;
    request->count = (int)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(request->fds, CMSG_DATA(rights), sizeof(int) * (size_t)request->count);
    return request->count >= 2;
}

static int join(const struct request *request) {
    for (int at = 2; at < request->count; at++)
        if (write(request->fds[at], "0", 1) != 1) return errno;
    return setns(request->fds[0], (int)(request->namespaces & ~(uint32_t)CLONE_NEWPID)) == 0 ? 0 : errno;
}

// What a program would leave behind.
static int leave_a_trace(void) {
    int file = open("/tmp/trace", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    return file >= 0 && write(file, "here", 4) == 4 ? 0 : errno;
}

static void child(const struct request *request, struct answer *shared) {
    struct answer answer = *shared;
    begin(&answer);
    answer.error = join(request);
    end(&answer);
    if (answer.error == 0) answer.error = leave_a_trace();
    *shared = answer;
    _exit(0);
}

static void serve(const struct request *request, struct answer *shared) {
    *shared = (struct answer){0};
    begin(shared);
    if (setns(request->fds[0], CLONE_NEWPID) != 0) shared->error = errno;
    end(shared);
    if (shared->error != 0) return;
    struct clone_args arguments = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)request->fds[1]};
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) child(request, shared);
    int status = 0;
    if (pid < 0) shared->error = errno;
    else if (waitpid(pid, &status, 0) != pid) shared->error = errno;
    else if (status != 0) shared->error = ECHILD;
}

int main(void) {
    static struct request request;
    struct answer *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 1;
    while (receive(&request)) {
        serve(&request, shared);
        for (int at = 0; at < request.count; at++) close(request.fds[at]);
        if (send(0, shared, sizeof *shared, MSG_NOSIGNAL) != sizeof *shared) return 1;
    }
    return 0;
}
