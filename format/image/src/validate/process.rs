//! Rules for what all threads share.

use super::{
    FORBIDDEN_SIGNALS, Invalid, Place, Rule, check_bits, check_index, check_path, check_pending,
    check_signed, ensure, is_signal, is_user_address, is_user_address_or_null,
};
use crate::model::{
    Credentials, Limit, Manifest, MemoryLayout, PosixTimer, Process, SignalAction, TimerNotice,
};

/// The highest process id (`proc_sys_kernel(5)`, `pid_max`).
pub(super) const MAX_PID: u32 = 1 << 22;

/// `SA_*` that the kernel keeps (`sigaction(2)`), with `SA_RESTORER`.
const ACTION_FLAGS: u64 = 0xdc00_0c07;

/// `CLOCK_*` that `timer_create(2)` takes.
const TIMER_CLOCKS: [i32; 8] = [0, 1, 2, 3, 7, 8, 9, 11];

/// Words of an auxiliary vector; the kernel's own bound is lower and differs between releases.
const MAX_AUXV_WORDS: u64 = 128;

pub(super) fn check(manifest: &Manifest) -> Result<(), Invalid> {
    let process = &manifest.process;
    check_numbers(process)?;
    check_index(
        process.executable,
        manifest.files.len(),
        "file",
        Place::Process,
    )?;
    let executable = &manifest.files[process.executable as usize];
    let place = Place::File(process.executable as usize);
    ensure(
        super::file::is_regular(executable.mode),
        place,
        Rule::WrongKind("regular file"),
    )?;
    check_path(&process.cwd, Place::Process)?;
    check_credentials(&process.credentials)?;
    check_limits(&process.limits)?;
    check_layout(&process.memory)?;
    check_actions(&process.actions)?;
    check_pending(&process.pending, Place::Process)?;
    check_interval_timers(process)?;
    check_posix_timers(manifest)?;
    let clocks = process.clocks;
    for time in [clocks.monotonic_ns, clocks.boottime_ns, clocks.realtime_ns] {
        check_signed(time, "clock", Place::Process)?;
    }
    Ok(())
}

fn check_numbers(process: &Process) -> Result<(), Invalid> {
    let numbers = [
        (
            "process id",
            (1..=MAX_PID).contains(&process.pid),
            u64::from(process.pid),
        ),
        ("umask", process.umask <= 0o777, u64::from(process.umask)),
        (
            "dumpable mode",
            process.dumpable <= 2,
            u64::from(process.dumpable),
        ),
        (
            "oom_score_adj",
            (-1000..=1000).contains(&process.oom_score_adj),
            process.oom_score_adj as u64,
        ),
        // The second bit says something only beside the first (`PR_SET_MDWE`).
        (
            "denial of writable and executable memory",
            matches!(process.write_execute_denied, 0 | 1 | 3),
            u64::from(process.write_execute_denied),
        ),
    ];
    for (field, holds, value) in numbers {
        ensure(holds, Place::Process, Rule::Range { field, value })?;
    }
    Ok(())
}

// `capabilities(7)`, "Transformation of capabilities".
fn check_credentials(credentials: &Credentials) -> Result<(), Invalid> {
    let [inheritable, permitted, effective, _bounding, ambient] = credentials.capabilities;
    check_bits(
        effective,
        permitted,
        "effective capabilities",
        Place::Process,
    )?;
    check_bits(
        ambient,
        permitted & inheritable,
        "ambient capabilities",
        Place::Process,
    )?;
    check_bits(
        u64::from(credentials.securebits),
        0xfff,
        "securebits",
        Place::Process,
    )?;
    let count = credentials.supplementary.len() as u64;
    let rule = Rule::TooMany {
        what: "groups",
        count,
        limit: 65_536,
    };
    ensure(count <= 65_536, Place::Process, rule)
}

fn check_limits(limits: &[Limit]) -> Result<(), Invalid> {
    let mut seen = 0_u16;
    for limit in limits {
        let place = Place::Limit(limit.resource);
        let resource = Rule::Range {
            field: "number",
            value: u64::from(limit.resource),
        };
        ensure(limit.resource <= 15, place, resource)?;
        let bit = 1 << limit.resource;
        ensure(seen & bit == 0, place, Rule::Twice)?;
        seen |= bit;
        let soft = Rule::Range {
            field: "soft limit above the hard one",
            value: limit.soft,
        };
        ensure(limit.soft <= limit.hard, place, soft)?;
    }
    Ok(())
}

// What the kernel checks itself (`PR_SET_MM_MAP`, `prctl(2)`).
fn check_layout(layout: &MemoryLayout) -> Result<(), Invalid> {
    let pairs = [
        ("code", layout.code),
        ("data", layout.data),
        ("break", layout.brk),
        ("stack", [layout.stack; 2]),
        ("arguments", layout.arguments),
        ("environment", layout.environment),
    ];
    for (field, [start, end]) in pairs {
        for address in [start, end] {
            let rule = Rule::Address { field, address };
            ensure(is_user_address(address), Place::Process, rule)?;
        }
        ensure(
            start <= end,
            Place::Process,
            Rule::Range { field, value: end },
        )?;
    }
    let count = layout.auxv.len() as u64;
    let rule = Rule::TooMany {
        what: "words in the auxiliary vector",
        count,
        limit: MAX_AUXV_WORDS,
    };
    ensure(count <= MAX_AUXV_WORDS, Place::Process, rule)?;
    let field = "length of the auxiliary vector";
    ensure(
        count.is_multiple_of(2),
        Place::Process,
        Rule::Range {
            field,
            value: count,
        },
    )
}

fn check_actions(actions: &[SignalAction]) -> Result<(), Invalid> {
    let mut behind = 0;
    for action in actions {
        let place = Place::Action(action.signal);
        ensure(is_signal(action.signal), place, Rule::Signal(action.signal))?;
        ensure(action.signal >= behind, place, Rule::NotAscending)?;
        behind = action.signal + 1;
        let handler = Rule::Address {
            field: "handler",
            address: action.handler,
        };
        let special = action.handler <= 1;
        ensure(special || is_user_address(action.handler), place, handler)?;
        let restorer = Rule::Address {
            field: "restorer",
            address: action.restorer,
        };
        ensure(is_user_address_or_null(action.restorer), place, restorer)?;
        check_bits(action.flags, ACTION_FLAGS, "flags", place)?;
        check_bits(action.mask, !FORBIDDEN_SIGNALS, "signal mask", place)?;
    }
    Ok(())
}

fn check_interval_timers(process: &Process) -> Result<(), Invalid> {
    for (index, timer) in process.interval_timers.iter().enumerate() {
        let place = Place::IntervalTimer(timer.which);
        let which = Rule::Range {
            field: "number",
            value: u64::from(timer.which),
        };
        ensure(timer.which <= 2, place, which)?;
        let mut before = process.interval_timers[..index].iter();
        ensure(
            !before.any(|other| other.which == timer.which),
            place,
            Rule::Twice,
        )?;
        check_signed(timer.left_us, "time left", place)?;
        check_signed(timer.interval_us, "interval", place)?;
    }
    Ok(())
}

fn check_posix_timers(manifest: &Manifest) -> Result<(), Invalid> {
    let mut seen = std::collections::BTreeSet::new();
    for timer in &manifest.process.posix_timers {
        let place = Place::PosixTimer(timer.id);
        let id = Rule::Range {
            field: "id",
            value: u64::from(timer.id),
        };
        ensure(timer.id <= i32::MAX as u32, place, id)?;
        ensure(seen.insert(timer.id), place, Rule::Twice)?;
        check_posix_timer(manifest, timer, place)?;
    }
    Ok(())
}

fn check_posix_timer(manifest: &Manifest, timer: &PosixTimer, place: Place) -> Result<(), Invalid> {
    let clock = Rule::Range {
        field: "clock",
        value: timer.clock as u64,
    };
    ensure(TIMER_CLOCKS.contains(&timer.clock), place, clock)?;
    check_signed(timer.left_ns, "time left", place)?;
    check_signed(timer.interval_ns, "interval", place)?;
    match timer.notice {
        TimerNotice::None => Ok(()),
        TimerNotice::Signal { signal, .. } => {
            ensure(is_signal(signal), place, Rule::Signal(signal))
        }
        TimerNotice::ThreadSignal { signal, thread, .. } => {
            ensure(is_signal(signal), place, Rule::Signal(signal))?;
            check_index(thread, manifest.threads.len(), "thread", place)
        }
    }
}
