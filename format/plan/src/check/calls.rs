//! Which system calls a plan may have, by phase: those that the compiler makes (`engine/clone/src/compile/`), in the shape
//! in which it makes them.
//!
//! x86-64 numbers (`arch/x86/entry/syscalls/syscall_64.tbl`).

use super::places::Kinds;
use super::shape::Arg::{Any, Fd, Loaded, MapFlags, Mapped, Memory, MemoryMap, OneOf, Written};
use super::shape::{Gives, Shape};
use crate::Phase;

pub(super) const WRITE: u32 = 1;
pub(super) const OPEN: u32 = 2;
pub(super) const FCNTL: u32 = 72;
pub(super) const EVENTFD2: u32 = 290;
pub(super) const F_SETPIPE_SZ: u64 = 1031;
const F_SETFD: u64 = 2;
const F_SETFL: u64 = 4;
const F_ADD_SEALS: u64 = 1033;
const PR_SET_MM: u64 = 35;
const PR_SET_MM_MAP: u64 = 14;
const PR_SET_VMA: u64 = 0x5356_4d41;
/// `PR_SET_PDEATHSIG`, `PR_SET_DUMPABLE`, `PR_SET_NAME`, `PR_SET_TSC`, `PR_SET_TIMERSLACK`, `PR_SET_CHILD_SUBREAPER`,
/// `PR_SET_NO_NEW_PRIVS`, `PR_SET_THP_DISABLE`, `PR_SET_MDWE`, `PR_SET_MEMORY_MERGE`, `PR_TIMER_CREATE_RESTORE_IDS`.
/// Not `PR_SET_SECCOMP`: a filter of a template's could answer the stub's own calls.
const OWN_WAYS: &[u64] = &[1, 4, 15, 26, 29, 36, 38, 41, 65, 67, 77];
/// `ARCH_SET_GS`, `ARCH_SET_FS` and `ARCH_REQ_XCOMP_PERM`.
const OWN_REGISTERS: &[u64] = &[0x1001, 0x1002, 0x1023];
/// `SO_SNDBUF`, `SO_RCVBUF` and `SO_PASSCRED`, of `SOL_SOCKET`.
const SOCKET_OPTIONS: &[u64] = &[7, 8, 16];
const SOL_SOCKET: u64 = 1;
const AF_UNIX: u64 = 1;
const EPOLL_CTL_ADD: u64 = 1;
const IOPRIO_WHO_PROCESS: u64 = 1;
/// `_IOW('T', 0, u64)` (`timerfd_create(2)`).
const TFD_IOC_SET_TICKS: u64 = 0x4008_5400;
const UFFDIO_API: u64 = 0xc018_aa3f;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
/// Room for events of inotify.
const EVENT_BYTES: u64 = 64;
/// Nothing, or the caller.
const ZERO: super::shape::Arg = OneOf(&[0]);
const PROGRAM: super::shape::Arg = Fd(Kinds::PROGRAM);
const MADE: super::shape::Arg = Fd(Kinds::MADE);
const CONTENT: super::shape::Arg = Fd(Kinds::CONTENT);

const MPROTECT: Shape = Shape::new(10, [Memory]);
const MADVISE: Shape = Shape::new(28, [Memory]);
const PRCTL: Shape = Shape::new(157, [OneOf(OWN_WAYS)]);
const NAME_MEMORY: Shape = Shape::new(157, [OneOf(&[PR_SET_VMA]), ZERO, Memory]);
const ARCH_PRCTL: Shape = Shape::new(158, [OneOf(OWN_REGISTERS)]);
const PRLIMIT64: Shape = Shape::new(302, [ZERO, Any, Any, ZERO]);
const SCHED_SETATTR: Shape = Shape::new(314, [ZERO]);
const SCHED_SETAFFINITY: Shape = Shape::new(203, [ZERO]);
const IOPRIO_SET: Shape = Shape::new(251, [OneOf(&[IOPRIO_WHO_PROCESS]), ZERO]);
const SET_ROBUST_LIST: Shape = Shape::new(273, []);
const GETPID: Shape = Shape::new(39, []).gives(Gives::Id);
const GETTID: Shape = Shape::new(186, []).gives(Gives::Id);
const RT_TGSIGQUEUEINFO: Shape = Shape::new(297, [Loaded, Loaded]);

const fn map(kinds: Kinds) -> Shape {
    Shape::new(9, [Memory, Any, Any, MapFlags, Mapped(kinds)])
}

const fn read_at(kinds: Kinds) -> Shape {
    Shape::new(17, [Fd(kinds), Memory])
}

const fn makes(shape: Shape, kinds: Kinds) -> Shape {
    shape.gives(Gives::Fd(kinds))
}

/// Memory, signal actions, and what `prctl` says about the process itself. The template has rights that the program will
/// not have: the kernel writes nowhere but to the program's memory.
const TEMPLATE: &[Shape] = &[
    map(Kinds::FILE),
    read_at(Kinds::FILE),
    MPROTECT,
    MADVISE,
    Shape::new(13, [Any, Any, ZERO]), // rt_sigaction
    Shape::new(135, []),              // personality
    PRCTL,
    NAME_MEMORY,
    Shape::new(
        157,
        [OneOf(&[PR_SET_MM]), OneOf(&[PR_SET_MM_MAP]), MemoryMap],
    ),
    ARCH_PRCTL,
    PRLIMIT64,
    SCHED_SETATTR,
];

/// A clone's own memory, which it fills from the images. Nothing is opened by a path.
const MEMORY: &[Shape] = &[
    map(Kinds::CONTENT),
    read_at(Kinds::KEPT),
    MPROTECT,
    MADVISE,
    NAME_MEMORY,
    makes(Shape::new(319, []), Kinds::CONTENT), // memfd_create
    Shape::new(77, [CONTENT]),                  // ftruncate
    Shape::new(91, [CONTENT]),                  // fchmod
    Shape::new(8, [CONTENT]),                   // lseek
    Shape::new(40, [CONTENT, Fd(Kinds::KEPT), Written(8)]), // sendfile
    Shape::new(325, [Memory]),                  // mlock2
];

/// Descriptors.
const CLONE: &[Shape] = &[
    Shape::new(95, []), // umask
    Shape::new(80, []), // chdir
    PRCTL,
    SET_ROBUST_LIST,
    makes(Shape::new(OPEN, []), Kinds::MADE),
    makes(Shape::new(EVENTFD2, []), Kinds::PROGRAM),
    makes(Shape::new(291, []), Kinds::PROGRAM), // epoll_create1
    makes(Shape::new(283, []), Kinds::PROGRAM), // timerfd_create
    makes(Shape::new(289, [OneOf(&[u64::MAX])]), Kinds::PROGRAM), // signalfd4
    makes(Shape::new(294, []), Kinds::PROGRAM), // inotify_init1
    makes(Shape::new(41, [OneOf(&[AF_UNIX])]), Kinds::MADE), // socket
    Shape::new(53, [OneOf(&[AF_UNIX]), Any, ZERO, Written(8)]), // socketpair
    Shape::new(293, [Written(8)]),              // pipe2
    Shape::new(WRITE, [MADE]),                  // see `may_write_there`
    Shape::new(FCNTL, [MADE, OneOf(&[F_SETFD, F_SETFL, F_SETPIPE_SZ])]),
    Shape::new(8, [PROGRAM]),                                     // lseek
    Shape::new(292, [MADE, MADE]),                                // dup3
    Shape::new(3, [MADE]),                                        // close
    Shape::new(233, [PROGRAM, OneOf(&[EPOLL_CTL_ADD]), PROGRAM]), // epoll_ctl
    Shape::new(254, [PROGRAM]),                                   // inotify_add_watch
    Shape::new(255, [PROGRAM]),                                   // inotify_rm_watch
    Shape::new(0, [PROGRAM, Written(EVENT_BYTES), OneOf(&[EVENT_BYTES])]), // read
    Shape::new(54, [PROGRAM, OneOf(&[SOL_SOCKET]), OneOf(SOCKET_OPTIONS)]), // setsockopt
    Shape::new(44, [MADE, Any, Any, ZERO]),                       // sendto
    Shape::new(87, []),                                           // unlink
    Shape::new(49, [PROGRAM]),                                    // bind
    Shape::new(50, [PROGRAM]),                                    // listen
];

/// Bringing pages in.
const PREFAULT: &[Shape] = &[MADVISE];

/// Being watched.
const WATCH: &[Shape] = &[
    makes(Shape::new(323, []), Kinds::WATCHER), // userfaultfd
    Shape::new(16, [Fd(Kinds::WATCHER), OneOf(&[UFFDIO_API]), Written(24)]), // ioctl
    Shape::new(
        16,
        [Fd(Kinds::WATCHER), OneOf(&[UFFDIO_REGISTER]), Written(32)],
    ),
];

/// What is the same whenever the program goes on.
const SETTLE: &[Shape] = &[
    Shape::new(FCNTL, [CONTENT, OneOf(&[F_ADD_SEALS])]),
    Shape::new(462, [Memory]), // mseal
    PRLIMIT64,
    PRCTL,
];

/// What is pending, and what begins to run.
const RESUME: &[Shape] = &[
    Shape::new(286, [PROGRAM, Any, Any, ZERO]), // timerfd_settime
    Shape::new(16, [PROGRAM, OneOf(&[TFD_IOC_SET_TICKS])]), // ioctl
    PRCTL,
    SCHED_SETATTR,
    SCHED_SETAFFINITY,
    IOPRIO_SET,
    GETPID,
    GETTID,
    RT_TGSIGQUEUEINFO,
    Shape::new(129, [Loaded]),               // rt_sigqueueinfo
    Shape::new(38, [Any, Any, ZERO]),        // setitimer
    Shape::new(222, [Any, Any, Written(4)]), // timer_create
    Shape::new(223, [Any, Any, Any, ZERO]),  // timer_settime
];

/// What each thread does for itself.
const THREAD: &[Shape] = &[
    SET_ROBUST_LIST,
    PRCTL,
    ARCH_PRCTL,
    SCHED_SETATTR,
    SCHED_SETAFFINITY,
    IOPRIO_SET,
    GETPID,
    GETTID,
    RT_TGSIGQUEUEINFO,
];

/// The shapes of a phase.
pub(super) const fn shapes(phase: Phase) -> &'static [Shape] {
    match phase {
        Phase::Stub => &[],
        Phase::Template => TEMPLATE,
        Phase::Memory => MEMORY,
        Phase::Clone => CLONE,
        Phase::Prefault => PREFAULT,
        Phase::Watch => WATCH,
        Phase::Settle => SETTLE,
        Phase::Resume => RESUME,
        Phase::Thread => THREAD,
    }
}
