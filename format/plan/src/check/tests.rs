//! Plans that pass, and plans that do not.

use super::places::Kinds;
use super::*;
use crate::{ENGINE_BASE, ENGINE_BYTES, Rseq, THREAD_STACK_BYTES, fd};

/// A plan of 32 KiB: data from 4 KiB, a thread's stack from 12 KiB, operations from 16 KiB.
const BYTES: usize = 32 << 10;
const CELL: u64 = PLAN_BASE + 4096;
const STACK_END: u64 = PLAN_BASE + (16 << 10);
const OPERATIONS: u64 = 16 << 10;
const FD_BASE: u32 = 64;
const CONTROL: u64 = FD_BASE as u64;
const FILE: u64 = CONTROL + fd::FILES as u64;
/// Two files, of which clones keep one.
const FILE_COUNT: u32 = 2;
const KEPT_FILES: u32 = 1;
const CONTENT: u64 = fd::held(FD_BASE, KEPT_FILES) as u64;
const ASIDE: u64 = CONTENT + fd::MAX_CONTENTS as u64;
const HEAP: u64 = 0x5555_0000_0000;
const CLONES: [Phase; 5] = [
    Phase::Memory,
    Phase::Clone,
    Phase::Settle,
    Phase::Resume,
    Phase::Thread,
];

fn header() -> Header {
    let span = Span {
        offset: OPERATIONS,
        count: 1,
    };
    Header {
        fd_base: FD_BASE,
        file_count: FILE_COUNT,
        kept_files: KEPT_FILES,
        bytes: BYTES as u64,
        clone: span,
        ..Header::default()
    }
}

fn places() -> Places {
    let header = header();
    let mut places = Places::of(&header, [header.clone].into_iter());
    places.written_end = STACK_END - THREAD_STACK_BYTES;
    places
}

fn check_one(phase: Phase, op: Op) -> Result<(), Refused> {
    check_op(&[0; BYTES], &places(), (phase, 0), &op)
}

/// A plan with these operations in one phase.
fn check_all(phase: Phase, ops: &[Op]) -> Result<(), Refused> {
    let mut plan = vec![0; BYTES];
    for (index, op) in ops.iter().enumerate() {
        let at = OPERATIONS as usize + index * size_of::<Op>();
        plan[at..at + 4].copy_from_slice(&op.number.to_le_bytes());
        plan[at + 4..at + 6].copy_from_slice(&[op.check, op.loads]);
        let words = op.args.into_iter().chain([op.expected, op.store]);
        for (word, value) in words.enumerate() {
            let at = at + 8 + 8 * word;
            plan[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
    let span = Span {
        offset: OPERATIONS,
        count: ops.len() as u64,
    };
    check_span(&plan, &places(), phase, span)
}

fn is_descriptor(found: Result<(), Refused>, wanted: u64) -> bool {
    matches!(found, Err(Refused::Descriptor { descriptor, .. }) if descriptor == wanted)
}

#[test]
fn a_template_may_map_memory_but_not_open_files() {
    let map = Op::new(9, [0x1000, 0x1000, 1, 0x12, FILE, 0]);
    assert_eq!(check_one(Phase::Template, map), Ok(()));
    let open = Op::new(2, [CELL, 0, 0, 0, 0, 0]).descriptor(3, true);
    assert!(check_one(Phase::Template, open).is_err());
    assert!(check_one(Phase::Memory, open).is_err());
    assert_eq!(check_one(Phase::Clone, open), Ok(()));
}

#[test]
fn nobody_may_touch_the_engines_region() {
    for address in [
        ENGINE_BASE,
        ENGINE_BASE - 0x1000,
        ENGINE_BASE + ENGINE_BYTES - 1,
    ] {
        let found = [
            Op::new(9, [address, 0x2000, 1, 0x12, FILE, 0]),
            Op::new(10, [address, 0x2000, 1, 0, 0, 0]),
            Op::new(17, [FILE, address, 0x2000, 0, 0, 0]),
        ]
        .map(|op| check_one(Phase::Template, op));
        assert_eq!(
            found,
            [Err(Refused::Address {
                phase: Phase::Template,
                index: 0,
                address
            }); 3]
        );
    }
    let wraps = Op::new(9, [u64::MAX, 2, 1, 0x12, FILE, 0]);
    assert!(check_one(Phase::Template, wraps).is_err());
    // MAP_HUGETLB: longer than it says. Not fixed: where nobody knows.
    for flags in [0x4_0032, 0x22] {
        let map = Op::new(9, [HEAP, 0x1000, 1, flags, u64::MAX, 0]);
        assert!(check_one(Phase::Template, map).is_err(), "{flags:#x}");
    }
}

#[test]
fn nobody_may_change_who_they_are_or_what_their_calls_do() {
    for number in [105, 106, 117, 119, 126, 308, 165, 101, 59, 435, 317, 334] {
        for phase in CLONES.into_iter().chain([Phase::Template]) {
            let found = check_one(phase, Op::new(number, [0; 6]));
            assert!(matches!(found, Err(Refused::Call { .. })), "{number}");
        }
    }
    // PR_SET_SECCOMP, PR_SET_SYSCALL_USER_DISPATCH, PR_SET_MM_EXE_FILE.
    for [option, second] in [[22, 2], [59, 1], [35, 13]] {
        for phase in CLONES.into_iter().chain([Phase::Template]) {
            let prctl = Op::new(157, [option, second, CELL, 0, 0, 0]);
            assert!(check_one(phase, prctl).is_err(), "{option}");
        }
    }
}

#[test]
fn no_call_names_a_descriptor_of_the_stubs() {
    // The socket, clocks, the namespace, the watcher, the ring, what is free between, and what a request has brought.
    let brought = FILE + u64::from(FILE_COUNT);
    let own = (CONTROL..FILE).chain([brought, CONTENT - 1, ASIDE + 8, u64::MAX, 1 << 32]);
    for number in own {
        let naming = [
            (
                Phase::Template,
                Op::new(9, [HEAP, 4096, 1, 0x12, number, 0]),
            ),
            (Phase::Template, Op::new(17, [number, HEAP, 8, 0, 0, 0])),
            (Phase::Memory, Op::new(9, [HEAP, 4096, 1, 0x11, number, 0])),
            (Phase::Memory, Op::new(40, [CONTENT, number, CELL, 8, 0, 0])),
            (Phase::Memory, Op::new(40, [number, FILE, CELL, 8, 0, 0])),
            (Phase::Memory, Op::new(77, [number, 1, 0, 0, 0, 0])),
            (Phase::Clone, Op::new(292, [number, 3, 0, 0, 0, 0])),
            (Phase::Clone, Op::new(292, [3, number, 0, 0, 0, 0])),
            (Phase::Clone, Op::new(3, [number, 0, 0, 0, 0, 0])),
            (Phase::Clone, Op::new(72, [number, 2, 0, 0, 0, 0])),
            (Phase::Clone, Op::new(1, [number, CELL, 1, 0, 0, 0])),
            (Phase::Clone, Op::new(0, [number, CELL, 64, 0, 0, 0])),
            (Phase::Clone, Op::new(44, [number, CELL, 1, 0, 0, 0])),
            (Phase::Clone, Op::new(54, [number, 1, 7, CELL, 4, 0])),
            (Phase::Clone, Op::new(233, [number, 1, 3, CELL, 0, 0])),
            (Phase::Clone, Op::new(233, [3, 1, number, CELL, 0, 0])),
            (
                Phase::Resume,
                Op::new(16, [number, 0x4008_5400, CELL, 0, 0, 0]),
            ),
            (Phase::Settle, Op::new(72, [number, 1033, 1, 0, 0, 0])),
        ];
        for (phase, op) in naming {
            assert!(is_descriptor(check_one(phase, op), number), "{op:?}");
        }
    }
}

#[test]
fn no_descriptor_is_made_among_the_stubs_or_where_nobody_knows() {
    let open = Op::new(2, [CELL, 0, 0, 0, 0, 0]);
    for number in CONTROL..=FILE {
        let made = open.descriptor(number as u32, true);
        assert!(is_descriptor(check_one(Phase::Clone, made), number));
        let memory = Op::new(319, [CELL, 0, 0, 0, 0, 0]).descriptor(number as u32, true);
        assert!(is_descriptor(check_one(Phase::Memory, memory), number));
    }
    assert!(check_one(Phase::Clone, open).is_err());
    // What gives no descriptor has none that could be moved.
    let seek = Op::new(8, [3, CONTROL, 0, 0, 0, 0]).descriptor(4, true);
    assert!(is_descriptor(check_one(Phase::Clone, seek), 4));
    // A pair, or a pipe, cannot be put anywhere.
    let pipe = Op::new(293, [CELL, 0, 0, 0, 0, 0]);
    assert_eq!(check_one(Phase::Clone, pipe), Ok(()));
    assert!(check_one(Phase::Clone, pipe.descriptor(3, true)).is_err());
}

#[test]
fn calls_that_take_descriptors_from_memory_or_give_them_are_refused() {
    // sendmsg, recvmsg, dup, splice, tee, io_uring_enter, pidfd_getfd, openat, pwrite64.
    for number in [46, 47, 32, 275, 276, 426, 438, 257, 18] {
        for phase in CLONES {
            let found = check_one(phase, Op::new(number, [3, CELL, 0, 0, 0, 0]));
            assert!(matches!(found, Err(Refused::Call { .. })), "{number}");
        }
    }
    // F_DUPFD, F_DUPFD_CLOEXEC, F_GETLK, F_SETOWN_EX; SO_ATTACH_FILTER, SO_ATTACH_BPF.
    for command in [0, 1030, 5, 15] {
        let fcntl = Op::new(72, [3, command, 0, 0, 0, 0]);
        assert!(check_one(Phase::Clone, fcntl).is_err(), "{command}");
    }
    for option in [26, 50] {
        let set = Op::new(54, [3, 1, option, CELL, 16, 0]);
        assert!(check_one(Phase::Clone, set).is_err(), "{option}");
    }
}

#[test]
fn the_executable_in_a_map_of_memory_is_one_of_the_files() {
    let set = Op::new(157, [35, 14, CELL, 104, 0, 0]);
    let found = |executable: u64| {
        let mut plan = [0; BYTES];
        plan[4096 + 100..][..4].copy_from_slice(&(executable as u32).to_le_bytes());
        check_op(&plan, &places(), (Phase::Template, 0), &set)
    };
    assert_eq!(found(FILE), Ok(()));
    assert!(is_descriptor(found(CONTROL), CONTROL));
    assert!(is_descriptor(found(3), 3));
    let outside = Op::new(157, [35, 14, PLAN_BASE + BYTES as u64, 104, 0, 0]);
    assert!(check_one(Phase::Template, outside).is_err());
}

#[test]
fn only_ids_are_stored_and_loaded_and_only_as_ids() {
    let id = Op::new(39, [0; 6]).store(CELL);
    assert_eq!(check_one(Phase::Resume, id), Ok(()));
    let queue = Op::new(129, [CELL, 10, CELL, 0, 0, 0]);
    assert_eq!(check_one(Phase::Resume, queue.load(0)), Ok(()));
    assert!(check_one(Phase::Resume, queue).is_err());
    // Where a file stands can be any number, and so can what a call of a template returns.
    let seek = Op::new(8, [3, CONTROL, 0, 0, 0, 0]).store(CELL);
    assert!(check_one(Phase::Clone, seek).is_err());
    let read = Op::new(17, [FILE, HEAP, 59, 0, 0, 0]).store(CELL);
    assert!(check_one(Phase::Template, read).is_err());
    let duplicate = Op::new(292, [CELL, 3, 0, 0, 0, 0]).load(0);
    assert!(check_one(Phase::Clone, duplicate).is_err());
}

#[test]
fn a_plan_stays_what_was_checked() {
    let stack = STACK_END - THREAD_STACK_BYTES;
    for address in [
        PLAN_BASE,
        CELL - 8,
        stack - 4,
        stack,
        PLAN_BASE + OPERATIONS,
        ENGINE_BASE,
        HEAP,
        u64::MAX,
    ] {
        let writing = [
            (
                Phase::Memory,
                Op::new(40, [CONTENT, FILE, address, 8, 0, 0]),
            ),
            (Phase::Clone, Op::new(293, [address, 0, 0, 0, 0, 0])),
            (Phase::Clone, Op::new(53, [1, 1, 0, address, 0, 0])),
            (Phase::Clone, Op::new(0, [3, address, 64, 0, 0, 0])),
        ];
        for (phase, op) in writing {
            let found = check_one(phase, op);
            assert!(matches!(found, Err(Refused::Address { .. })), "{op:?}");
        }
    }
    let last = Op::new(293, [stack - 8, 0, 0, 0, 0, 0]);
    assert_eq!(check_one(Phase::Clone, last), Ok(()));
    let id = Op::new(39, [0; 6]).store(PLAN_BASE + OPERATIONS);
    assert!(check_one(Phase::Resume, id).is_err());
}

#[test]
fn a_call_tells_nothing_about_what_was_before() {
    // The last arguments of rt_sigaction, prlimit64, setitimer, timer_settime and timerfd_settime.
    let telling = [
        (Phase::Template, Op::new(13, [10, CELL, 0, 8, 0, 0]), 2),
        (Phase::Template, Op::new(302, [0, 7, CELL, 0, 0, 0]), 3),
        (Phase::Settle, Op::new(302, [0, 7, CELL, 0, 0, 0]), 3),
        (Phase::Resume, Op::new(38, [0, CELL, 0, 0, 0, 0]), 2),
        (Phase::Resume, Op::new(223, [0, 0, CELL, 0, 0, 0]), 3),
        (Phase::Resume, Op::new(286, [3, 0, CELL, 0, 0, 0]), 3),
    ];
    for (phase, mut op, old) in telling {
        assert_eq!(check_one(phase, op), Ok(()), "{op:?}");
        op.args[old] = CELL;
        assert!(check_one(phase, op).is_err(), "{op:?}");
    }
    // ARCH_GET_FS, PR_GET_NAME.
    for [number, option] in [[158, 0x1003], [157, 16]] {
        let get = Op::new(number as i64, [option, ENGINE_BASE, 0, 0, 0, 0]);
        assert!(check_one(Phase::Template, get).is_err());
    }
}

#[test]
fn nothing_is_about_another_process() {
    for (phase, number) in [
        (Phase::Template, 302),
        (Phase::Settle, 302),
        (Phase::Template, 314),
        (Phase::Resume, 203),
    ] {
        let of = |process| check_one(phase, Op::new(number, [process, 7, CELL, 0, 0, 0]));
        assert_eq!(of(0), Ok(()));
        assert!(of(1).is_err(), "{number}");
    }
}

#[test]
fn a_write_goes_to_a_pipe_or_to_the_beginning_of_a_file() {
    let write = |number| Op::new(1, [number, CELL, 1, 0, 0, 0]);
    let open = Op::new(2, [CELL, 1, 0, 0, 0, 0]).descriptor(3, true);
    let resize = Op::new(72, [3, F_SETPIPE_SZ, 4096, 0, 0, 0]);
    let event = Op::new(290, [0; 6]).descriptor(3, true);
    for first in [open, resize, event] {
        assert_eq!(check_all(Phase::Clone, &[first, write(3)]), Ok(()));
        let other = check_all(Phase::Clone, &[first, write(4)]);
        assert_eq!(other, Err(Refused::Write { index: 1 }));
    }
    // The own memory, where the stub lies.
    let seek = Op::new(8, [3, STACK_END, 0, 0, 0, 0]);
    let found = check_all(Phase::Clone, &[open, seek, write(3)]);
    assert_eq!(found, Err(Refused::Write { index: 2 }));
    assert!(check_all(Phase::Clone, &[write(3)]).is_err());
    assert!(check_all(Phase::Clone, &[open, write(3), write(3)]).is_err());
    // What may fail has found nothing.
    assert!(check_all(Phase::Clone, &[resize.anything(), write(3)]).is_err());
}

#[test]
fn each_thread_has_a_stack_of_its_own_between_data_and_operations() {
    let thread = crate::Thread {
        stack_end: STACK_END,
        frame: CELL,
        child_tid: HEAP,
        ..crate::Thread::default()
    };
    let admits = |thread: crate::Thread, last| places().admits(&thread, last);
    assert!(admits(thread, 0));
    assert!(admits(thread, STACK_END - THREAD_STACK_BYTES));
    assert!(!admits(thread, STACK_END));
    for stack_end in [
        0,
        4096,
        PLAN_BASE + 4096,
        STACK_END + 16,
        STACK_END - 8,
        HEAP,
    ] {
        assert!(!admits(
            crate::Thread {
                stack_end,
                ..thread
            },
            0
        ));
    }
    let child_tid = ENGINE_BASE;
    assert!(!admits(
        crate::Thread {
            child_tid,
            ..thread
        },
        0
    ));
    assert!(!admits(
        crate::Thread {
            frame: HEAP,
            ..thread
        },
        0
    ));
    let rseq = Rseq {
        address: ENGINE_BASE - 8,
        bytes: 32,
        signature: 0,
    };
    assert!(!admits(crate::Thread { rseq, ..thread }, 0));
}

#[test]
fn kinds_of_descriptors_do_not_overlap_in_a_clone() {
    let all = [Kinds::PROGRAM, Kinds::KEPT, Kinds::CONTENT, Kinds::ASIDE];
    for number in (0..ASIDE + 100).filter(|number| *number != CONTROL + u64::from(fd::WATCHER)) {
        let of = all.iter().filter(|kinds| places().is(**kinds, number));
        assert!(of.count() <= 1, "{number}");
    }
}

/// A plan with a filter at 8 KiB, two ranges behind it, and a state somewhere.
fn trapping(filter: &[Instruction], ranges: &[[u64; 2]], state: u64) -> Result<(), Refused> {
    let mut plan = [0_u8; BYTES];
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
    check_traps(&plan, &places(), &traps)
}

#[test]
fn a_template_traps_calls_and_does_not_answer_them() {
    use crate::traps::{ALLOW, TRAP, code};
    let verdict = |k| Instruction::new(code::RETURN, k);
    let heap = [[HEAP, HEAP + 0x1000]];
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
    let heap = [[HEAP, HEAP + 0x1000]];
    for [start, end] in [
        [ENGINE_BASE, ENGINE_BASE + 4096],
        [8192, 4096],
        [0, u64::MAX],
    ] {
        let found = trapping(&filter, &[[start, end]], 12288);
        assert_eq!(found, Err(Refused::Traps), "{start:#x}");
    }
    assert_eq!(trapping(&filter, &heap, 0), Err(Refused::Traps));
    // Over operations, which were checked as something else.
    let over = OPERATIONS - 8;
    assert_eq!(trapping(&filter, &heap, over), Err(Refused::Traps));
    let outside = BYTES as u64 - 8;
    assert_eq!(trapping(&filter, &heap, outside), Err(Refused::Outside));
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

#[test]
fn a_parked_clone_touches_whole_pages_of_the_program() {
    let touched = |start: u64, bytes: u64| {
        let mut buffer = start.to_le_bytes().to_vec();
        buffer.extend(bytes.to_le_bytes());
        check_touched(&buffer)
    };
    assert_eq!(touched(HEAP, 8192), Ok(()));
    for (start, bytes) in [
        (HEAP + 8, 4096),
        (HEAP, 100),
        (ENGINE_BASE, 4096),
        (0, u64::MAX - 4095),
        (u64::MAX - 4095, 8192),
    ] {
        assert_eq!(touched(start, bytes), Err(Refused::Touched), "{start:#x}");
    }
}
