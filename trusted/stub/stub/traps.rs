//! Traps: what the program asks of the kernel that the kernel would answer wrongly, because it does not know that memory
//! of the pool is the program's own.
//!
//! 1. The template, when all else is made, takes `SIGSYS` for the stub and installs the plan's filter ([`install`]).
//! 2. A call that the filter traps raises the signal, and [`trapped`] does it in the kernel's place: memory in
//!    [`memory`], masks and actions in [`signals`]. The result goes where the program expects it, in the signal frame.
//! 3. Any other `SIGSYS` is the program's.
//!
//! Runs on the stack of the thread that asked, with all signals blocked. Takes no lock, and owns no memory but the plan's
//! [`TrapState`], word by word.

mod maps;
mod memory;
mod signals;

use core::arch::global_asm;
use core::ptr::addr_of;

use offshoot_plan::traps::{Instruction, TRAP_NUMBER, TrapRange, TrapState};
use offshoot_plan::{PLAN_BASE, Span};

use crate::{header, sys};

const SECCOMP_SET_MODE_FILTER: u64 = 1;
/// Without it older kernels slow the program down against attacks by speculation.
const SECCOMP_FILTER_FLAG_SPEC_ALLOW: u64 = 4;
const SYS_SECCOMP: i32 = 1;
const EINVAL: i64 = -22;
const ENOSYS: i64 = -38;

global_asm!(
    ".globl trap_restorer",
    "trap_restorer:",
    "mov eax, 15",
    "syscall",
    "hlt",
);

unsafe extern "C" {
    /// Where the handler returns to: `rt_sigreturn`.
    fn trap_restorer();
}

/// The beginning of `siginfo_t` as `SIGSYS` has it.
#[repr(C)]
pub struct Info {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    call: u64,
    number: i32,
    architecture: u32,
}

/// `struct ucontext` (`arch/x86/include/uapi/asm/{ucontext,sigcontext}.h`).
#[repr(C)]
pub struct Context {
    head: [u64; 5],
    registers: [u64; 23],
    state: u64,
    reserved: [u64; 8],
    mask: u64,
}

const RAX: usize = 13;
/// Where the arguments are: rdi, rsi, rdx, r10, r8, r9.
const ARGUMENTS: [usize; 6] = [8, 9, 12, 2, 0, 1];

/// Whether this template has traps.
fn has_traps() -> bool {
    header().traps.filter.count != 0
}

/// Takes `SIGSYS`, and installs the filter. Its number among the steps of the stub, and the result, of what failed.
pub fn install() -> Result<(), (u32, i64)> {
    if !has_traps() {
        return Ok(());
    }
    memory::learn_images().map_err(|error| (8, error))?;
    signals::take_over().map_err(|error| (9, error))?;
    let filter = header().traps.filter;
    // `struct sock_fprog`.
    let program = [filter.count, element::<Instruction>(filter, 0) as u64];
    // SAFETY: the program lies in the plan.
    let set = unsafe {
        sys::call3(
            sys::SECCOMP,
            SECCOMP_SET_MODE_FILTER,
            SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            addr_of!(program) as u64,
        )
    };
    if sys::is_error(set) {
        return Err((10, set));
    }
    Ok(())
}

/// Readies a thread's signal frame: a thread that blocks `SIGSYS` is killed by its first trap.
///
/// # Safety
/// `frame` is one of the plan's signal frames, of the calling thread.
pub unsafe fn admit(frame: u64) {
    if has_traps() {
        // SAFETY: as the caller's.
        unsafe { signals::admit(frame as *mut Context) };
    }
}

/// The handler of `SIGSYS`.
///
/// # Safety
/// The kernel calls it.
unsafe extern "C" fn trapped(signal: i32, info: *mut Info, context: *mut Context) {
    // SAFETY: the kernel has written both; the frame is this thread's alone.
    unsafe {
        if (*info).code != SYS_SECCOMP || (*info).errno as u32 != TRAP_NUMBER {
            signals::deliver(signal, info, context);
            return;
        }
        let arguments = ARGUMENTS.map(|register| (*context).registers[register]);
        let result = match (*info).number as u32 {
            sys::MADVISE => memory::advise(arguments),
            sys::MREMAP => memory::remap(arguments),
            sys::SIGPROCMASK => signals::set_mask(context, arguments),
            sys::SIGACTION => signals::set_action(arguments),
            _ => ENOSYS,
        };
        (*context).registers[RAX] = result as u64;
    }
}

/// Address of an element of the plan.
fn element<T>(span: Span, index: u64) -> *mut T {
    (PLAN_BASE + span.offset + index * size_of::<T>() as u64) as *mut T
}

/// What the program believes; threads of the program may be here at the same time.
fn state() -> *mut TrapState {
    element(header().traps.state, 0)
}

/// The first of the plan's ranges that ends behind an address.
fn range_from(address: u64) -> Option<TrapRange> {
    let ranges = header().traps.ranges;
    // SAFETY: the nursery has checked that the span lies within the plan.
    let at = |index| unsafe { core::ptr::read(element::<TrapRange>(ranges, index)) };
    let (mut low, mut high) = (0, ranges.count);
    while low < high {
        let middle = low + (high - low) / 2;
        if at(middle).end <= address {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low < ranges.count).then(|| at(low))
}
