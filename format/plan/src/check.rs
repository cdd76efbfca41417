//! What a plan may do.
//!
//! A plan is made from bytes that nobody vouches for, by a process without rights; a template then runs it with more
//! rights than the program will have, because it still has to enter a sandbox. So only system calls that give nobody
//! anything pass: memory of the process itself, its own signals and timers, and, once the clone is its final self,
//! descriptors.

use crate::{ENGINE_BASE, ENGINE_BYTES, Header, Op, PLAN_BASE, PLAN_MAX_BYTES, Phase, USER_END};

/// Why a plan is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// This system call may not be in this phase.
    Call {
        /// The phase.
        phase: Phase,
        /// Index of the operation.
        index: usize,
        /// The system call's number.
        number: u32,
    },
    /// The operation would touch the engine's own region, or what is not user space.
    Address {
        /// The phase.
        phase: Phase,
        /// Index of the operation.
        index: usize,
        /// The address.
        address: u64,
    },
    /// A part lies outside the plan.
    Outside,
}

// x86-64 system call numbers (`arch/x86/entry/syscalls/syscall_64.tbl`).
const MMAP: u32 = 9;
const MPROTECT: u32 = 10;
const MADVISE: u32 = 28;
const PREAD64: u32 = 17;
const READ: u32 = 0;
const IOCTL: u32 = 16;
const USERFAULTFD: u32 = 323;
/// `UFFDIO_API` and `UFFDIO_REGISTER`.
const UFFD_REQUESTS: [u64; 2] = [0xc018_aa3f, 0xc020_aa00];
/// `_IOW('T', 0, u64)` (`timerfd_create(2)`).
const TFD_IOC_SET_TICKS: u64 = 0x4008_5400;

/// In the template: memory, signal actions, and what `prctl` says about the process itself.
const TEMPLATE: &[u32] = &[
    MMAP, MPROTECT, MADVISE, PREAD64, // memory
    13,      // rt_sigaction
    135,     // personality
    149,     // mlock
    157,     // prctl
    158,     // arch_prctl
    302,     // prlimit64
    325,     // mlock2
    334,     // rseq
    462,     // mseal
    314,     // sched_setattr
];

/// In a clone that already is who it will be: everything that a program may ask for itself.
const CLONE: &[u32] = &[
    MMAP, MPROTECT, MADVISE, PREAD64, //
    1,       // write
    2,       // open
    3,       // close
    8,       // lseek
    IOCTL,   // only to set the ticks of a timer
    READ,    // only into the plan
    13,      // rt_sigaction
    18,      // pwrite64
    32,      // dup
    38,      // setitimer
    39,      // getpid
    40,      // sendfile
    41,      // socket
    42,      // connect
    44,      // sendto
    46,      // sendmsg
    49,      // bind
    50,      // listen
    53,      // socketpair
    54,      // setsockopt
    72,      // fcntl
    77,      // ftruncate
    80,      // chdir
    87,      // unlink
    91,      // fchmod
    95,      // umask
    97,      // getrlimit
    129,     // rt_sigqueueinfo
    135,     // personality
    141,     // setpriority
    142,     // sched_setparam
    149,     // mlock
    151,     // mlockall
    157,     // prctl
    158,     // arch_prctl
    186,     // gettid
    203,     // sched_setaffinity
    218,     // set_tid_address
    222,     // timer_create
    223,     // timer_settime
    233,     // epoll_ctl
    251,     // ioprio_set
    254,     // inotify_add_watch
    255,     // inotify_rm_watch
    257,     // openat
    273,     // set_robust_list
    275,     // splice
    276,     // tee
    283,     // timerfd_create
    286,     // timerfd_settime
    289,     // signalfd4
    290,     // eventfd2
    291,     // epoll_create1
    292,     // dup3
    293,     // pipe2
    294,     // inotify_init1
    297,     // rt_tgsigqueueinfo
    302,     // prlimit64
    314,     // sched_setattr
    319,     // memfd_create
    325,     // mlock2
    334,     // rseq
    462,     // mseal
];

/// Bringing pages in.
const PREFAULT: &[u32] = &[MADVISE];

/// Checks the operations of one phase; `base` is the index of the first.
///
/// # Errors
/// [`Refused`] names the first operation that may not be there.
pub fn check(phase: Phase, ops: &[Op]) -> Result<(), Refused> {
    for (index, op) in ops.iter().enumerate() {
        let number = op.number;
        let allowed = match phase {
            Phase::Stub => false,
            Phase::Template => TEMPLATE.contains(&number),
            Phase::Prefault => PREFAULT.contains(&number),
            Phase::Watch => {
                number == USERFAULTFD
                    || number == IOCTL
                        && UFFD_REQUESTS.contains(&op.args[1])
                        && is_plans(op.args[2])
            }
            Phase::Clone | Phase::Resume | Phase::Thread => {
                CLONE.contains(&number) && (number != IOCTL || op.args[1] == TFD_IOC_SET_TICKS)
            }
        };
        if !allowed {
            return Err(Refused::Call {
                phase,
                index,
                number,
            });
        }
        if op.store != 0 && !is_plans(op.store) {
            return Err(Refused::Address {
                phase,
                index,
                address: op.store,
            });
        }
        if number == READ && !is_plans(op.args[1]) {
            return Err(Refused::Address {
                phase,
                index,
                address: op.args[1],
            });
        }
        let (address, bytes) = match number {
            MMAP | MPROTECT | MADVISE => (op.args[0], op.args[1]),
            PREAD64 => (op.args[1], op.args[2]),
            _ => continue,
        };
        if !is_programs(address, bytes) {
            return Err(Refused::Address {
                phase,
                index,
                address,
            });
        }
    }
    Ok(())
}

/// Whether this is an address in the plan, where results may be written.
fn is_plans(address: u64) -> bool {
    (PLAN_BASE + 4096..PLAN_BASE + PLAN_MAX_BYTES - 8).contains(&address)
}

/// Whether this is user space outside the engine's region.
fn is_programs(address: u64, bytes: u64) -> bool {
    let Some(end) = address.checked_add(bytes) else {
        return false;
    };
    end <= USER_END && (end <= ENGINE_BASE || address >= ENGINE_BASE + ENGINE_BYTES)
}

impl Header {
    /// Whether the header's own parts lie within a plan of this length, operations being `op_bytes` long.
    ///
    /// # Errors
    /// [`Refused::Outside`].
    pub fn check_spans(&self, plan_bytes: u64) -> Result<(), Refused> {
        let ops = size_of::<Op>() as u64;
        let threads = size_of::<crate::Thread>() as u64;
        let spans = [
            (self.template, ops),
            (self.clone, ops),
            (self.prefault, ops),
            (self.watch, ops),
            (self.resume, ops),
            (self.threads, threads),
        ];
        for (span, element_bytes) in spans {
            let bytes = span.count.checked_mul(element_bytes);
            let end = bytes.and_then(|bytes| span.offset.checked_add(bytes));
            if end.is_none_or(|end| end > plan_bytes) || !span.offset.is_multiple_of(8) {
                return Err(Refused::Outside);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_may_map_memory_but_not_open_files() {
        let map = Op::new(9, [0x1000, 0x1000, 1, 0x12, 5, 0]);
        assert_eq!(check(Phase::Template, &[map]), Ok(()));
        let open = Op::new(257, [0; 6]);
        assert!(check(Phase::Template, &[map, open]).is_err());
        assert_eq!(check(Phase::Clone, &[open]), Ok(()));
    }

    #[test]
    fn nobody_may_touch_the_engines_region() {
        for address in [
            ENGINE_BASE,
            ENGINE_BASE - 0x1000,
            ENGINE_BASE + ENGINE_BYTES - 1,
        ] {
            let map = Op::new(9, [address, 0x2000, 1, 0x12, 5, 0]);
            assert!(matches!(
                check(Phase::Template, &[map]),
                Err(Refused::Address { .. })
            ));
        }
        let wraps = Op::new(9, [u64::MAX, 2, 1, 0x12, 5, 0]);
        assert!(check(Phase::Template, &[wraps]).is_err());
    }

    #[test]
    fn nobody_may_change_who_they_are() {
        for number in [105, 106, 117, 119, 126, 308, 165, 101, 59, 435] {
            let op = Op::new(number, [0; 6]);
            for phase in [Phase::Template, Phase::Clone, Phase::Thread] {
                assert!(check(phase, &[op]).is_err(), "{number}");
            }
        }
    }
}
