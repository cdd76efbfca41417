//! `SIGSYS` belongs to the stub, and the program does not notice: it has an action of its own for it, and believes that
//! it can block it.

use core::ptr::{addr_of, addr_of_mut};

use offshoot_plan::traps::{BLOCKED_SLOTS, SIGSYS_BIT};

use super::{Context, EINVAL, Info, SYS_SECCOMP, state, trap_restorer, trapped};
use crate::sys;

const SIGSYS: u64 = 31;
const SIGNALS: u64 = 64;
/// SIGKILL and SIGSTOP.
const UNCHANGEABLE: u64 = 1 << 8 | 1 << 18;
const MASK_BYTES: u64 = 8;
const SIG_BLOCK: u64 = 0;
const SIG_UNBLOCK: u64 = 1;
const SIG_SETMASK: u64 = 2;
const SIG_DFL: u64 = 0;
const SIG_IGN: u64 = 1;
const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;
const SA_RESETHAND: u64 = 0x8000_0000;
const KCMP_VM: u64 = 1;

/// The kernel's `struct sigaction`: handler, flags, restorer, mask.
type Action = [u64; 4];
const HANDLER: usize = 0;
const FLAGS: usize = 1;
const MASK: usize = 3;

/// Takes `SIGSYS`, and keeps it out of the masks of all other actions.
pub fn take_over() -> Result<(), i64> {
    let mut masks = 0;
    for signal in (1..=SIGNALS).filter(|signal| UNCHANGEABLE & bit(*signal) == 0) {
        let mut action = query(signal)?;
        if signal == SIGSYS {
            // SAFETY: the template has one thread.
            unsafe { addr_of_mut!((*state()).action).write(action) };
            action = [
                trapped as *const () as u64,
                SA_SIGINFO | SA_RESTORER,
                trap_restorer as *const () as u64,
                u64::MAX,
            ];
        } else if action[MASK] & SIGSYS_BIT != 0 {
            masks |= bit(signal);
            action[MASK] &= !SIGSYS_BIT;
        } else {
            continue;
        }
        set(signal, &action)?;
    }
    // SAFETY: as above.
    unsafe { addr_of_mut!((*state()).masks).write(masks) };
    Ok(())
}

const fn bit(signal: u64) -> u64 {
    1 << (signal - 1)
}

fn query(signal: u64) -> Result<Action, i64> {
    let mut action = [0; 4];
    let old = addr_of_mut!(action) as u64;
    // SAFETY: writes the action.
    let asked = unsafe { sys::call(sys::SIGACTION, [signal, 0, old, MASK_BYTES, 0, 0]) };
    if sys::is_error(asked) {
        Err(asked)
    } else {
        Ok(action)
    }
}

fn set(signal: u64, action: &Action) -> Result<(), i64> {
    let new = addr_of!(*action) as u64;
    // SAFETY: the action is the program's, or the stub's own handler.
    let done = unsafe { sys::call(sys::SIGACTION, [signal, new, 0, MASK_BYTES, 0, 0]) };
    if sys::is_error(done) {
        Err(done)
    } else {
        Ok(())
    }
}

/// Takes `SIGSYS` out of the mask with which a thread goes on.
///
/// # Safety
/// `frame` is the calling thread's.
pub unsafe fn admit(frame: *mut Context) {
    // SAFETY: as the caller's. Only a frame that has to is written, because its page is the template's until then.
    unsafe {
        if (*frame).mask & SIGSYS_BIT != 0 {
            believe_blocked(true);
            (*frame).mask &= !SIGSYS_BIT;
        }
    }
}

fn slot() -> (*mut u32, u32) {
    // SAFETY: asks for a number.
    let thread = unsafe { sys::call3(sys::GETTID, 0, 0, 0) } as u32;
    // SAFETY: within the array.
    let slot = unsafe { addr_of_mut!((*state()).blocked[thread as usize % BLOCKED_SLOTS]) };
    (slot, thread)
}

/// Whether the calling thread believes that it has blocked `SIGSYS`. A thread whose place another one has taken forgets.
fn believes_blocked() -> bool {
    let (slot, thread) = slot();
    // SAFETY: a number of the plan's.
    unsafe { slot.read_volatile() == thread }
}

fn believe_blocked(blocked: bool) {
    let (slot, thread) = slot();
    // SAFETY: as above; what is right already is not written.
    unsafe {
        if (slot.read_volatile() == thread) != blocked {
            slot.write_volatile(if blocked { thread } else { 0 });
        }
    }
}

/// Whether eight bytes can be read: asked of the kernel, so that a wrong pointer is an error and not a fault.
fn readable(address: u64) -> Result<u64, i64> {
    // SAFETY: all signals are blocked already, so nothing changes.
    let asked = unsafe { sys::call(sys::SIGPROCMASK, [SIG_BLOCK, address, 0, MASK_BYTES, 0, 0]) };
    if sys::is_error(asked) {
        return Err(asked);
    }
    // SAFETY: the kernel has just read them.
    Ok(unsafe { (address as *const u64).read_unaligned() })
}

/// Writes eight bytes, if that can be.
fn write(address: u64, value: u64) -> Result<(), i64> {
    // SAFETY: only asks for the mask.
    let asked = unsafe { sys::call(sys::SIGPROCMASK, [SIG_BLOCK, 0, address, MASK_BYTES, 0, 0]) };
    if sys::is_error(asked) {
        return Err(asked);
    }
    // SAFETY: the kernel has just written them.
    unsafe { (address as *mut u64).write_unaligned(value) };
    Ok(())
}

/// `rt_sigprocmask(2)`: how, new mask, old mask, length. The mask in the frame is what the thread goes on with.
///
/// # Safety
/// `context` is the calling thread's signal frame.
pub unsafe fn set_mask(context: *mut Context, arguments: [u64; 6]) -> i64 {
    let [how, new, old, bytes, ..] = arguments;
    if bytes != MASK_BYTES {
        return EINVAL;
    }
    let believed = if believes_blocked() { SIGSYS_BIT } else { 0 };
    // SAFETY: as the caller's.
    let current = unsafe { (*context).mask } | believed;
    if new != 0 {
        let wanted = match readable(new) {
            Ok(wanted) => wanted & !UNCHANGEABLE,
            Err(error) => return error,
        };
        let mask = match how as u32 as u64 {
            SIG_BLOCK => current | wanted,
            SIG_UNBLOCK => current & !wanted,
            SIG_SETMASK => wanted,
            _ => return EINVAL,
        };
        believe_blocked(mask & SIGSYS_BIT != 0);
        // SAFETY: as the caller's.
        unsafe { (*context).mask = mask & !SIGSYS_BIT };
    }
    if old != 0
        && let Err(error) = write(old, current)
    {
        return error;
    }
    0
}

/// `rt_sigaction(2)`: signal, new action, old action, length of masks.
///
/// # Safety
/// The pointers are the program's.
pub unsafe fn set_action(arguments: [u64; 6]) -> i64 {
    let [signal, new, old, bytes, ..] = arguments;
    let signal = signal as u32 as u64;
    let done = if signal == SIGSYS && bytes == MASK_BYTES {
        own_action(new, old)
    } else {
        // SAFETY: what the program has asked for.
        let done = unsafe { sys::call(sys::SIGACTION, arguments) };
        if sys::is_error(done) {
            Err(done)
        } else {
            Ok(())
        }
        .and_then(|()| masks(signal, new, old))
    };
    done.map_or_else(|error| error, |()| 0)
}

/// Keeps `SIGSYS` out of the mask of an action that has just been set, and tells it of the one that was there.
fn masks(signal: u64, new: u64, old: u64) -> Result<(), i64> {
    // SAFETY: a number of the plan's.
    let known = unsafe { addr_of!((*state()).masks).read_volatile() };
    if old != 0 && known & bit(signal) != 0 {
        let address = old + MASK as u64 * 8;
        write(address, readable(address)? | SIGSYS_BIT)?;
    }
    if new == 0 {
        return Ok(());
    }
    let mut action = query(signal)?;
    let blocks = action[MASK] & SIGSYS_BIT != 0;
    if blocks {
        action[MASK] &= !SIGSYS_BIT;
        set(signal, &action)?;
    }
    if blocks != (known & bit(signal) != 0) && is_owner() {
        // SAFETY: as above. Threads that set actions at the same time may lose a bit of each other's.
        unsafe { addr_of_mut!((*state()).masks).write_volatile(known ^ bit(signal)) };
    }
    Ok(())
}

/// The program's own action for `SIGSYS`.
fn own_action(new: u64, old: u64) -> Result<(), i64> {
    let place = action_place();
    // SAFETY: words of the plan's.
    let before = unsafe { place.read_volatile() };
    let mut wanted = None;
    if new != 0 {
        let mut action = [0; 4];
        for (index, word) in action.iter_mut().enumerate() {
            *word = readable(new + index as u64 * 8)?;
        }
        wanted = Some(action);
    }
    if old != 0 {
        for (index, word) in before.into_iter().enumerate() {
            write(old + index as u64 * 8, word)?;
        }
    }
    if let Some(action) = wanted.filter(|_| is_owner()) {
        // SAFETY: as above.
        unsafe { place.write_volatile(action) };
    }
    Ok(())
}

fn action_place() -> *mut Action {
    // SAFETY: within the plan.
    unsafe { addr_of_mut!((*state()).action) }
}

/// Whether the state is this process's: a child of `vfork` has its parent's memory, but actions of its own, which it sets
/// back before it executes another program.
fn is_owner() -> bool {
    // SAFETY: asks for numbers; a number of the plan's.
    unsafe {
        let place = addr_of_mut!((*state()).owner);
        let (owner, own) = (
            place.read_volatile(),
            sys::call3(sys::GETPID, 0, 0, 0) as u32,
        );
        if owner == own {
            return true;
        }
        let same_memory = [u64::from(own), u64::from(owner), KCMP_VM, 0, 0, 0];
        if owner != 0 && sys::call(sys::KCMP, same_memory) == 0 {
            return false;
        }
        place.write_volatile(own);
    }
    true
}

/// Gives the program a signal that is its own.
///
/// # Safety
/// As the kernel calls a handler.
pub unsafe fn deliver(signal: i32, info: *mut Info, context: *mut Context) {
    let place = action_place();
    // SAFETY: words of the plan's.
    let action = unsafe { place.read_volatile() };
    match action[HANDLER] {
        SIG_DFL => die(),
        // SAFETY: as the caller's.
        SIG_IGN if unsafe { (*info).code } == SYS_SECCOMP => die(),
        SIG_IGN => {}
        handler => {
            // SAFETY: as above; the program's handler is called as the kernel calls it, with the mask that it asked for.
            unsafe {
                if action[FLAGS] & SA_RESETHAND != 0 {
                    (*place)[HANDLER] = SIG_DFL;
                }
                let mask = ((*context).mask | action[MASK]) & !SIGSYS_BIT;
                let set = [SIG_SETMASK, addr_of!(mask) as u64, 0, MASK_BYTES, 0, 0];
                sys::call(sys::SIGPROCMASK, set);
                let handler: unsafe extern "C" fn(i32, *mut Info, *mut Context) =
                    core::mem::transmute(handler as *const ());
                handler(signal, info, context);
            }
        }
    }
}

/// Dies of `SIGSYS`.
fn die() {
    let _ = set(SIGSYS, &[SIG_DFL, 0, 0, 0]);
    let mask = SIGSYS_BIT;
    // SAFETY: the process ends.
    unsafe {
        let process = sys::call3(sys::GETPID, 0, 0, 0) as u64;
        let thread = sys::call3(sys::GETTID, 0, 0, 0) as u64;
        sys::call3(sys::TGKILL, process, thread, SIGSYS);
        let unblock = [SIG_UNBLOCK, addr_of!(mask) as u64, 0, MASK_BYTES, 0, 0];
        sys::call(sys::SIGPROCMASK, unblock);
    }
    sys::exit(159)
}
