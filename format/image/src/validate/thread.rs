//! Rules for threads.

use std::collections::BTreeSet;

use super::machine::XSAVE_HEADER_END;
use super::process::MAX_PID;
use super::{
    Invalid, Place, Rule, check_bits, check_mask, check_pending, ensure, in_user_space,
    is_user_address, is_user_address_or_null,
};
use crate::limits::MAX_THREADS;
use crate::model::{AltStack, Machine, Manifest, Registers, Rseq, SpecialKind, Thread};

/// Carry, parity, adjust, zero, sign, interrupt (always set in user mode), direction, overflow, resume, alignment check,
/// identification; and bit 1, which is always set. Not trap, I/O privilege, nested task, virtual 8086.
const EFLAGS: u64 = 0x25_0ed7;

/// Selectors of 64-bit user code and data (Linux `asm/segment.h`).
const USER_CODE: u64 = 0x33;
const USER_DATA: u64 = 0x2b;

/// `SS_ONSTACK`, `SS_DISABLE`, `SS_AUTODISARM` (`sigaltstack(2)`).
const ALT_STACK_FLAGS: u64 = 0x8000_0003;
const ALT_STACK_DISABLED: u32 = 2;

/// `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_BATCH`, `SCHED_IDLE`.
const POLICIES: [u32; 5] = [0, 1, 2, 3, 5];

/// 8192 processors, the most that the kernel can be built for (`CONFIG_NR_CPUS`).
const MAX_AFFINITY_WORDS: usize = 128;

/// Length of `struct robust_list_head`, the only one that the kernel takes.
const ROBUST_LIST_BYTES: u64 = 24;

pub(super) fn check(manifest: &Manifest) -> Result<(), Invalid> {
    let threads = &manifest.threads;
    let count = threads.len();
    let rule = Rule::TooMany {
        what: "threads",
        count: count as u64,
        limit: MAX_THREADS as u64,
    };
    ensure(count <= MAX_THREADS, Place::Manifest, rule)?;
    let missing = Invalid {
        place: Place::Manifest,
        rule: Rule::Missing("threads"),
    };
    let main = threads.first().ok_or(missing)?;
    let is_main = main.tid == manifest.process.pid;
    ensure(is_main, Place::Thread(main.tid), Rule::NotMain)?;
    let mut seen = BTreeSet::new();
    for thread in threads {
        let place = Place::Thread(thread.tid);
        ensure(seen.insert(thread.tid), place, Rule::Twice)?;
        check_thread(manifest, thread, place)?;
    }
    Ok(())
}

fn check_thread(manifest: &Manifest, thread: &Thread, place: Place) -> Result<(), Invalid> {
    let id = Rule::Range {
        field: "id",
        value: u64::from(thread.tid),
    };
    ensure((1..=MAX_PID).contains(&thread.tid), place, id)?;
    let named = thread.name.len() <= 15 && !thread.name.contains(&0);
    ensure(named, place, Rule::Name)?;
    check_registers(&thread.registers, place)?;
    check_instruction(manifest, thread.registers.0[Registers::RIP], place)?;
    check_xsave(&manifest.machine, &thread.xsave, place)?;
    check_mask(thread.signal_mask, place)?;
    check_alt_stack(thread.alt_stack, place)?;
    check_pointers(thread, place)?;
    if let Some(rseq) = thread.rseq {
        check_rseq(rseq, place)?;
    }
    check_pending(&thread.pending, place)?;
    check_affinity(&thread.affinity, place)?;
    check_io_priority(thread.io_priority, place)?;
    check_scheduling(thread, place)
}

// An empty list is no restriction; a set without a processor would be refused.
fn check_affinity(affinity: &[u64], place: Place) -> Result<(), Invalid> {
    let rule = Rule::TooMany {
        what: "words of processors",
        count: affinity.len() as u64,
        limit: MAX_AFFINITY_WORDS as u64,
    };
    ensure(affinity.len() <= MAX_AFFINITY_WORDS, place, rule)?;
    let some = affinity.is_empty() || affinity.iter().any(|word| *word != 0);
    ensure(some, place, Rule::Missing("processors"))
}

// Classes are none, real-time, best-effort and idle; of priorities there are eight, hints lie above (ioprio_set(2)).
fn check_io_priority(value: u16, place: Place) -> Result<(), Invalid> {
    let rule = Rule::Range {
        field: "I/O priority",
        value: u64::from(value),
    };
    ensure(value >> 13 <= 3, place, rule)
}

fn check_registers(registers: &Registers, place: Place) -> Result<(), Invalid> {
    let value = |index: usize| registers.0[index];
    for (field, index) in [("cs", Registers::CS), ("ss", Registers::SS)] {
        let expected = if index == Registers::CS {
            USER_CODE
        } else {
            USER_DATA
        };
        let rule = Rule::Range {
            field,
            value: value(index),
        };
        ensure(value(index) == expected, place, rule)?;
    }
    // Null selectors are 0 to 3.
    for (field, index) in [
        ("ds", Registers::DS),
        ("es", Registers::ES),
        ("fs", Registers::FS),
        ("gs", Registers::GS),
    ] {
        let rule = Rule::Range {
            field,
            value: value(index),
        };
        ensure(value(index) <= 3 || value(index) == USER_DATA, place, rule)?;
    }
    check_bits(value(Registers::EFLAGS), EFLAGS, "flags register", place)?;
    for (field, index) in [
        ("rsp", Registers::RSP),
        ("fs_base", Registers::FS_BASE),
        ("gs_base", Registers::GS_BASE),
    ] {
        let address = value(index);
        let rule = Rule::Address { field, address };
        ensure(is_user_address_or_null(address), place, rule)?;
    }
    Ok(())
}

fn check_instruction(manifest: &Manifest, address: u64, place: Place) -> Result<(), Invalid> {
    let rule = Rule::Address {
        field: "rip",
        address,
    };
    ensure(is_user_address(address), place, rule)?;
    let below = manifest
        .mappings
        .partition_point(|mapping| mapping.end <= address);
    let in_mapping = manifest
        .mappings
        .get(below)
        .is_some_and(|mapping| mapping.start <= address && mapping.protection.exec());
    let in_vdso = manifest.machine.vdso.mappings.iter().any(|special| {
        special.kind == SpecialKind::Vdso
            && (special.start..special.start + special.bytes).contains(&address)
    });
    ensure(in_mapping || in_vdso, place, Rule::NotExecutable(address))
}

// What XRSTOR would refuse (Intel SDM volume 1, section 13.8.1), the processor then killing the thread.
fn check_xsave(machine: &Machine, xsave: &[u8], place: Place) -> Result<(), Invalid> {
    let possible =
        (XSAVE_HEADER_END as usize..=machine.cpu.xsave_bytes as usize).contains(&xsave.len());
    ensure(possible, place, Rule::Xsave("length"))?;
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| xsave[at + i]));
    let mxcsr = word(24) as u32;
    ensure(mxcsr & 0xffff_0000 == 0, place, Rule::Xsave("MXCSR"))?;
    ensure(
        word(512) & !machine.cpu.xcr0 == 0,
        place,
        Rule::Xsave("component"),
    )?;
    let standard = xsave[520..XSAVE_HEADER_END as usize]
        .iter()
        .all(|byte| *byte == 0);
    ensure(standard, place, Rule::Xsave("header"))
}

fn check_alt_stack(stack: AltStack, place: Place) -> Result<(), Invalid> {
    check_bits(
        u64::from(stack.flags),
        ALT_STACK_FLAGS,
        "signal stack flags",
        place,
    )?;
    if stack.flags & ALT_STACK_DISABLED != 0 {
        return Ok(());
    }
    let rule = Rule::Address {
        field: "signal stack",
        address: stack.start,
    };
    let end = stack.start.saturating_add(stack.bytes);
    ensure(in_user_space(stack.start, end), place, rule)
}

fn check_pointers(thread: &Thread, place: Place) -> Result<(), Invalid> {
    for (field, address) in [
        ("clear_child_tid", thread.clear_child_tid),
        ("robust list", thread.robust_list.head),
    ] {
        let rule = Rule::Address { field, address };
        ensure(is_user_address_or_null(address), place, rule)?;
    }
    let list = thread.robust_list;
    let rule = Rule::Range {
        field: "robust list length",
        value: list.bytes,
    };
    let good = list.bytes == ROBUST_LIST_BYTES || list.head == 0 && list.bytes == 0;
    ensure(good, place, rule)
}

// `struct rseq` is aligned to 32 bytes; its first version ends at 20 and is registered as 32 (Linux `rseq.h`).
fn check_rseq(rseq: Rseq, place: Place) -> Result<(), Invalid> {
    let address = Rule::Address {
        field: "rseq area",
        address: rseq.address,
    };
    let end = rseq.address.saturating_add(u64::from(rseq.bytes));
    let good = in_user_space(rseq.address, end) && rseq.address.is_multiple_of(32);
    ensure(good, place, address)?;
    let bytes = Rule::Range {
        field: "rseq length",
        value: u64::from(rseq.bytes),
    };
    ensure((20..=4096).contains(&rseq.bytes), place, bytes)
}

fn check_scheduling(thread: &Thread, place: Place) -> Result<(), Invalid> {
    let scheduling = &thread.scheduling;
    let real_time = matches!(scheduling.policy, 1 | 2);
    let priority = match real_time {
        true => (1..=99).contains(&scheduling.priority),
        false => scheduling.priority == 0,
    };
    let numbers = [
        (
            "scheduling policy",
            POLICIES.contains(&scheduling.policy),
            u64::from(scheduling.policy),
        ),
        (
            "nice value",
            (-20..=19).contains(&scheduling.nice),
            scheduling.nice as u64,
        ),
        ("priority", priority, u64::from(scheduling.priority)),
        // Here KILL is usual: nothing has to catch it.
        (
            "parent death signal",
            thread.parent_death_signal <= 64,
            u64::from(thread.parent_death_signal),
        ),
    ];
    for (field, holds, value) in numbers {
        ensure(holds, place, Rule::Range { field, value })?;
    }
    Ok(())
}
