//! What a plan may do.
//!
//! A plan is made from bytes that nobody vouches for, by a process without rights; a template then runs it with more
//! rights than the program will have, because it still has to enter a sandbox. So only system calls that give nobody
//! anything pass: memory of the process itself, its own signals and timers, and, once the clone is its final self,
//! descriptors.

use crate::traps::{Instruction, MAX_INSTRUCTIONS, TrapRange, TrapState, Traps};
use crate::{
    ENGINE_BASE, ENGINE_BYTES, Header, MAGIC, MAX_FILES, Op, PLAN_BASE, PLAN_MAX_BYTES, Phase,
    Span, Thread, USER_END, VERSION,
};

/// Why a plan is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its header is another version's, or says what cannot be.
    Header,
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
    /// The traps' filter could do more than trap, or there is something wrong with what belongs to it.
    Traps,
    /// The stub would read where it must not.
    Touched,
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

/// Length of a `struct iovec`.
const BUFFER_BYTES: usize = 16;
/// Highest first descriptor of a stub: programs have theirs below.
const MAX_FD_BASE: u32 = 1 << 20;
/// Calls whose arguments are looked at.
const LOOKED_AT: &[u32] = &[MMAP, MPROTECT, MADVISE, PREAD64, READ, IOCTL];
/// `prlimit64` and `sched_setattr`: their first argument names a process, 0 being the caller.
const OF_A_PROCESS: &[u32] = &[302, 314];

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

/// Looks a whole plan over: that its parts lie within it, and that every operation may be there.
///
/// # Errors
/// [`Refused`] names the first thing that is wrong.
pub fn check(plan: &[u8]) -> Result<(), Refused> {
    let header = Header::from_bytes(plan).ok_or(Refused::Header)?;
    let is_ours = header.magic == MAGIC && header.version == VERSION;
    let fits = header.bytes == plan.len() as u64
        && header.bytes <= PLAN_MAX_BYTES
        && header.fd_base <= MAX_FD_BASE
        && header.file_count <= MAX_FILES
        && header.kept_files <= header.file_count
        && header.special_count as usize <= header.specials.len();
    if !is_ours || !fits {
        return Err(Refused::Header);
    }
    let specials = &header.specials[..header.special_count as usize];
    if !specials
        .iter()
        .all(|special| is_programs(special.target, special.bytes))
    {
        return Err(Refused::Header);
    }
    if !is_plans(header.credentials.supplementary) {
        return Err(Refused::Header);
    }
    let phases = [
        (Phase::Template, header.template),
        (Phase::Clone, header.clone),
        (Phase::Prefault, header.prefault),
        (Phase::Watch, header.watch),
        (Phase::Resume, header.resume),
    ];
    for (phase, span) in phases {
        check_span(plan, phase, span)?;
    }
    part(plan, header.pinned, BUFFER_BYTES)?;
    check_touched(part(plan, header.touched, BUFFER_BYTES)?)?;
    for thread in part(plan, header.threads, size_of::<Thread>())?.chunks_exact(size_of::<Thread>())
    {
        let ops = Thread::from_bytes(thread).ok_or(Refused::Outside)?.ops;
        check_span(plan, Phase::Thread, ops)?;
    }
    check_traps(plan, &header.traps)
}

/// The stub reads there itself: only what is the program's, page by page.
fn check_touched(buffers: &[u8]) -> Result<(), Refused> {
    let words = buffers.as_chunks().0;
    let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
    let is_touchable = |at: usize| {
        let (start, bytes) = (word(at), word(at + 1));
        start.is_multiple_of(4096) && bytes.is_multiple_of(4096) && is_programs(start, bytes)
    };
    let all = (0..words.len()).step_by(2).all(is_touchable);
    all.then_some(()).ok_or(Refused::Touched)
}

/// The template installs the filter, with its rights: see [`Instruction::is_allowed`].
fn check_traps(plan: &[u8], traps: &Traps) -> Result<(), Refused> {
    let filter = part(plan, traps.filter, size_of::<Instruction>())?;
    let ranges = part(plan, traps.ranges, size_of::<TrapRange>())?;
    let probes = part(plan, traps.probes, size_of::<u64>())?;
    part(plan, traps.state, size_of::<TrapState>())?;
    let of_filter =
        |bytes: &[u8]| Instruction::from_bytes(bytes).is_some_and(|one| one.is_allowed());
    let of_range = |bytes: &[u8]| {
        TrapRange::from_bytes(bytes).is_some_and(|range| {
            let bytes = range.end.checked_sub(range.start);
            bytes.is_some_and(|bytes| is_programs(range.start, bytes))
        })
    };
    let is_right = filter.chunks_exact(size_of::<Instruction>()).all(of_filter)
        && ranges.chunks_exact(size_of::<TrapRange>()).all(of_range)
        && probes
            .as_chunks()
            .0
            .iter()
            .all(|probe| is_programs(u64::from_le_bytes(*probe), 1))
        && traps.filter.count <= MAX_INSTRUCTIONS
        && traps.state.count == u64::from(traps.filter.count > 0)
        // The state is written to: it must not be the header, which the stub believes.
        && (traps.state.count == 0 || is_plans(PLAN_BASE + traps.state.offset));
    is_right.then_some(()).ok_or(Refused::Traps)
}

fn check_span(plan: &[u8], phase: Phase, span: Span) -> Result<(), Refused> {
    let ops = part(plan, span, size_of::<Op>())?.chunks_exact(size_of::<Op>());
    for (index, bytes) in ops.enumerate() {
        let op = Op::from_bytes(bytes).ok_or(Refused::Outside)?;
        check_op(phase, index, &op)?;
    }
    Ok(())
}

/// The bytes of a span of elements.
fn part(plan: &[u8], span: Span, element_bytes: usize) -> Result<&[u8], Refused> {
    let range = usize::try_from(span.offset)
        .ok()
        .zip(usize::try_from(span.count).ok());
    let range = range
        .filter(|(start, _)| start.is_multiple_of(8))
        .and_then(|(start, count)| {
            Some(start..start.checked_add(count.checked_mul(element_bytes)?)?)
        });
    range
        .and_then(|range| plan.get(range))
        .ok_or(Refused::Outside)
}

fn check_op(phase: Phase, index: usize, op: &Op) -> Result<(), Refused> {
    let number = op.number;
    if !is_allowed(phase, op) {
        return Err(Refused::Call {
            phase,
            index,
            number,
        });
    }
    let refused = |address| Refused::Address {
        phase,
        index,
        address,
    };
    // Results are written to the plan and read from it, nowhere else.
    let loaded = (0..6).filter(|argument| op.loads & 1 << argument != 0);
    let cells = loaded.map(|argument| op.args[argument as usize]);
    let stored = core::iter::once(op.store).filter(|address| *address != 0);
    let read = core::iter::once(op.args[1]).filter(|_| number == READ);
    if let Some(address) = cells
        .chain(stored)
        .chain(read)
        .find(|address| !is_plans(*address))
    {
        return Err(refused(address));
    }
    let (address, bytes) = match number {
        MMAP | MPROTECT | MADVISE => (op.args[0], op.args[1]),
        PREAD64 => (op.args[1], op.args[2]),
        _ => return Ok(()),
    };
    if is_programs(address, bytes) {
        Ok(())
    } else {
        Err(refused(address))
    }
}

fn is_allowed(phase: Phase, op: &Op) -> bool {
    let number = op.number;
    // What is looked at must be what the kernel gets.
    let is_constant = op.loads == 0;
    match phase {
        Phase::Stub => false,
        // The template has rights that the program will not have: nothing there may be about another process.
        Phase::Template => {
            TEMPLATE.contains(&number)
                && is_constant
                && (!OF_A_PROCESS.contains(&number) || op.args[0] == 0)
        }
        Phase::Prefault => PREFAULT.contains(&number) && is_constant,
        Phase::Watch => {
            let is_request = number == IOCTL && UFFD_REQUESTS.contains(&op.args[1]);
            is_constant && (number == USERFAULTFD || is_request && is_plans(op.args[2]))
        }
        Phase::Clone | Phase::Resume | Phase::Thread => {
            CLONE.contains(&number)
                && (is_constant || !LOOKED_AT.contains(&number))
                && (number != IOCTL || op.args[1] == TFD_IOC_SET_TICKS)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(phase: Phase, op: Op) -> Result<(), Refused> {
        check_op(phase, 0, &op)
    }

    #[test]
    fn a_template_may_map_memory_but_not_open_files() {
        let map = Op::new(9, [0x1000, 0x1000, 1, 0x12, 5, 0]);
        assert_eq!(check_one(Phase::Template, map), Ok(()));
        let open = Op::new(257, [0; 6]);
        assert!(check_one(Phase::Template, open).is_err());
        assert_eq!(check_one(Phase::Clone, open), Ok(()));
    }

    #[test]
    fn nobody_may_touch_the_engines_region() {
        for address in [
            ENGINE_BASE,
            ENGINE_BASE - 0x1000,
            ENGINE_BASE + ENGINE_BYTES - 1,
        ] {
            let map = Op::new(9, [address, 0x2000, 1, 0x12, 5, 0]);
            let found = check_one(Phase::Template, map);
            assert!(matches!(found, Err(Refused::Address { .. })));
        }
        let wraps = Op::new(9, [u64::MAX, 2, 1, 0x12, 5, 0]);
        assert!(check_one(Phase::Template, wraps).is_err());
    }

    #[test]
    fn nobody_may_change_who_they_are() {
        for number in [105, 106, 117, 119, 126, 308, 165, 101, 59, 435] {
            for phase in [Phase::Template, Phase::Clone, Phase::Thread] {
                assert!(
                    check_one(phase, Op::new(number, [0; 6])).is_err(),
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn a_template_sets_no_limit_of_another_process() {
        assert_eq!(
            check_one(
                Phase::Template,
                Op::new(302, [0, 7, PLAN_BASE + 4096, 0, 0, 0])
            ),
            Ok(())
        );
        assert!(
            check_one(
                Phase::Template,
                Op::new(302, [1, 7, PLAN_BASE + 4096, 0, 0, 0])
            )
            .is_err()
        );
    }

    #[test]
    fn what_is_looked_at_is_what_the_kernel_gets() {
        let cell = PLAN_BASE + 4096;
        let dup = Op::new(292, [cell, 3, 0, 0, 0, 0]).load(0);
        assert_eq!(check_one(Phase::Clone, dup), Ok(()));
        let elsewhere = Op::new(292, [0x1000, 3, 0, 0, 0, 0]).load(0);
        assert!(check_one(Phase::Clone, elsewhere).is_err());
        for number in LOOKED_AT {
            let hidden = Op::new(i64::from(*number), [cell, cell, 0, 0, 0, 0]).load(0);
            assert!(check_one(Phase::Clone, hidden).is_err(), "{number}");
        }
        let stores = Op::new(39, [0; 6]).store(ENGINE_BASE);
        assert!(check_one(Phase::Clone, stores).is_err());
    }

    /// A plan of 16 KiB with a filter at 8 KiB, two ranges behind it, and a state at 12 KiB.
    fn trapping(filter: &[Instruction], ranges: &[[u64; 2]], state: u64) -> Result<(), Refused> {
        let mut plan = [0_u8; 16384];
        for (index, one) in filter.iter().enumerate() {
            let at = 8192 + index * 8;
            plan[at..at + 2].copy_from_slice(&one.code.to_le_bytes());
            plan[at + 4..at + 8].copy_from_slice(&one.k.to_le_bytes());
        }
        for (index, [start, end]) in ranges.iter().enumerate() {
            let at = 8400 + index * size_of::<TrapRange>();
            plan[at..at + 8].copy_from_slice(&start.to_le_bytes());
            plan[at + 8..at + 16].copy_from_slice(&end.to_le_bytes());
        }
        let span = |offset, count: usize| Span {
            offset,
            count: count as u64,
        };
        let traps = Traps {
            filter: span(8192, filter.len()),
            ranges: span(8400, ranges.len()),
            probes: Span::default(),
            state: span(state, usize::from(!filter.is_empty())),
        };
        check_traps(&plan, &traps)
    }

    #[test]
    fn a_template_traps_calls_and_does_not_answer_them() {
        use crate::traps::{ALLOW, TRAP, code};
        let verdict = |k| Instruction::new(code::RETURN, k);
        let heap = [[0x5555_0000_0000, 0x5555_0000_1000]];
        assert_eq!(trapping(&[], &[], 0), Ok(()));
        assert_eq!(
            trapping(&[verdict(TRAP), verdict(ALLOW)], &heap, 12288),
            Ok(())
        );
        // "It worked", said of a call that never was: of giving up rights.
        let lie = [verdict(0x0005_0000), verdict(ALLOW)];
        assert_eq!(trapping(&lie, &heap, 12288), Err(Refused::Traps));
    }

    #[test]
    fn traps_are_about_the_programs_memory_and_remember_in_the_plan() {
        use crate::traps::{ALLOW, code};
        let filter = [Instruction::new(code::RETURN, ALLOW)];
        let heap = [[0x5555_0000_0000, 0x5555_0000_1000]];
        for [start, end] in [
            [ENGINE_BASE, ENGINE_BASE + 4096],
            [8192, 4096],
            [0, u64::MAX],
        ] {
            let found = trapping(&filter, &[[start, end]], 12288);
            assert_eq!(found, Err(Refused::Traps), "{start:#x}");
        }
        assert_eq!(trapping(&filter, &heap, 0), Err(Refused::Traps));
        assert_eq!(trapping(&filter, &heap, 16000), Err(Refused::Outside));
    }

    #[test]
    fn a_part_outside_the_plan_is_refused() {
        let plan = [0_u8; 160];
        let span = |offset, count| part(&plan, Span { offset, count }, 72).is_ok();
        assert!(span(16, 2));
        assert!(!span(24, 2));
        assert!(!span(4, 1));
        assert!(!span(u64::MAX, 1));
        assert!(!span(8, u64::MAX / 8));
        assert_eq!(check(&plan), Err(Refused::Header));
    }
}
