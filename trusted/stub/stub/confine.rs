//! What a sandbox makes of every program, whatever its image says: filters of system calls (`seccomp(2)`), limits
//! (`setrlimit(2)`), no urgency, a session of its own, rules for paths (`landlock(7)`).
//!
//! 1. The template, as its last step, loads the filter that all clones inherit: so it costs them nothing. It lets
//!    through what a clone calls on its way ([`install`]).
//! 2. A clone that has opened what its image names makes a ruleset of its sandbox's directories ([`restrict`]). It holds for
//!    the thread that makes it and for those that this one makes: so it comes before they do. Clones cannot inherit it: a
//!    template does not know their sandboxes, and a process under rules may mount nothing.
//! 3. A clone, as its last step, loads a short one that closes these gaps, for all its threads at once ([`close`]). None
//!    of them runs the program yet, so none can call through a gap; that is why all must have done their operations.
//!
//! The filter cannot let calls pass because they come from the stub's code: that stays where the program can jump to it,
//! and where it can map code of its own.

use core::ptr::{addr_of, addr_of_mut, read};

use offshoot_plan::traps::Instruction;
use offshoot_plan::{Beneath, Confinement, MostOf, PLAN_BASE, Span};

use crate::{header, sys};

const SECCOMP_SET_MODE_FILTER: u64 = 1;
/// All threads get the filter, or none does.
const SECCOMP_FILTER_FLAG_TSYNC: u64 = 1;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const PATH_BENEATH: u64 = 1;
/// `O_PATH | O_CLOEXEC`.
const AS_PLACE: u64 = 0o12_000_000;
const SCHED_FIFO: i64 = 1;
const SCHED_RR: i64 = 2;
const SCHED_DEADLINE: i64 = 6;
/// `SCHED_RESET_ON_FORK`, which comes with a policy.
const RESET_ON_FORK: i64 = 0x4000_0000;
/// `getpriority` says 20 less the nice value.
const NOT_NICE: i64 = 20;

fn confinement() -> &'static Confinement {
    &header().confinement
}

/// Whether clones of this template are confined.
pub fn confines() -> bool {
    confinement().last.count != 0
}

/// In the template, when nothing is left but to serve.
pub fn install() -> Result<(), i64> {
    if !confines() {
        return Ok(());
    }
    calm()?;
    // SAFETY: changes only what this process may become.
    must(unsafe { sys::call3(sys::PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0) })?;
    load(confinement().inherited)
}

/// In a clone, when it has opened all that its image names, and has one thread.
pub fn restrict() -> Result<(), i64> {
    let Confinement {
        beneath,
        handled,
        restrict_flags,
        ..
    } = *confinement();
    if handled == 0 {
        return Ok(());
    }
    let attribute = addr_of!(handled) as u64;
    // SAFETY: the kernel reads the eight bytes of `struct landlock_ruleset_attr` that are meant; what follows takes
    // rights from this thread, and closes what was opened here.
    unsafe {
        let rules = sys::call3(sys::LANDLOCK_CREATE_RULESET, attribute, 8, 0);
        must(rules)?;
        for index in 0..beneath.count {
            let address = PLAN_BASE + beneath.offset + index * size_of::<Beneath>() as u64;
            // The nursery has put it there.
            allow(rules as u64, read(address as *const Beneath))?;
        }
        must(sys::call3(sys::LANDLOCK_RESTRICT_SELF, rules as u64, restrict_flags, 0))?;
        must(sys::call3(sys::CLOSE, rules as u64, 0, 0))
    }
}

/// Adds a rule for one directory.
fn allow(rules: u64, Beneath { path, rights }: Beneath) -> Result<(), i64> {
    // SAFETY: the path lies in the plan and ends there; the kernel reads 12 bytes of the rule; the descriptor is this
    // function's own.
    unsafe {
        let opened = sys::call3(sys::OPEN, PLAN_BASE + path, AS_PLACE, 0);
        must(opened)?;
        // `struct landlock_path_beneath_attr`, which is packed: the descriptor lies in the lower half.
        let rule = [rights, opened as u64];
        let rule = addr_of!(rule) as u64;
        must(sys::call(sys::LANDLOCK_ADD_RULE, [rules, PATH_BENEATH, rule, 0, 0, 0]))?;
        must(sys::call3(sys::CLOSE, opened as u64, 0, 0))
    }
}

/// In a clone, when all its threads wait to be let go.
pub fn close() -> Result<(), i64> {
    if !confines() {
        return Ok(());
    }
    let limits = confinement().limits;
    for index in 0..limits.count {
        let address = PLAN_BASE + limits.offset + index * size_of::<MostOf>() as u64;
        // SAFETY: the nursery has put it there.
        bound(unsafe { read(address as *const MostOf) })?;
    }
    load(confinement().last)
}

/// Its children inherit how urgent it is, and it was the image that said so.
fn calm() -> Result<(), i64> {
    let none = 0_u32;
    // SAFETY: asks and says how urgent this process is.
    unsafe {
        let policy = sys::call3(sys::SCHED_GETSCHEDULER, 0, 0, 0);
        if matches!(policy & !RESET_ON_FORK, SCHED_FIFO | SCHED_RR | SCHED_DEADLINE) {
            let none = addr_of!(none) as u64;
            must(sys::call3(sys::SCHED_SETSCHEDULER, 0, 0, none))?;
        }
        if sys::call3(sys::GETPRIORITY, 0, 0, 0) > NOT_NICE {
            must(sys::call3(sys::SETPRIORITY, 0, 0, 0))?;
        }
    }
    Ok(())
}

/// Lowers a limit, if it is higher.
fn bound(limit: MostOf) -> Result<(), i64> {
    let mut is = [0_u64; 2];
    let ask = [0, limit.resource, 0, addr_of_mut!(is) as u64, 0, 0];
    // SAFETY: the kernel writes two words.
    must(unsafe { sys::call(sys::PRLIMIT64, ask) })?;
    let bounded = is.map(|value| value.min(limit.most));
    if bounded == is {
        return Ok(());
    }
    let set = [0, limit.resource, addr_of!(bounded) as u64, 0, 0, 0];
    // SAFETY: the kernel reads two words.
    must(unsafe { sys::call(sys::PRLIMIT64, set) })
}

fn load(filter: Span) -> Result<(), i64> {
    const { assert!(size_of::<Instruction>() == 8) };
    // `struct sock_fprog`.
    let program = [filter.count, PLAN_BASE + filter.offset];
    // SAFETY: the program lies in the plan.
    let loaded = unsafe {
        sys::call3(
            sys::SECCOMP,
            SECCOMP_SET_MODE_FILTER,
            SECCOMP_FILTER_FLAG_TSYNC,
            addr_of!(program) as u64,
        )
    };
    // A number above zero is the thread that could not have it.
    if loaded == 0 { Ok(()) } else { Err(loaded) }
}

fn must(result: i64) -> Result<(), i64> {
    if sys::is_error(result) {
        Err(result)
    } else {
        Ok(())
    }
}
