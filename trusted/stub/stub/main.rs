//! The stub: a program without libc, heap or relocations that becomes a frozen process.
//!
//! 1. The nursery executes it with the plan, the files and a control socket at known descriptors.
//! 2. It moves itself into anonymous memory, so that its own executable is not mapped any more (`PR_SET_MM_EXE_FILE`
//!    says EBUSY otherwise), unmaps everything else, and puts the kernel's own mappings where the program had them.
//! 3. It obeys the plan's template operations and says that it is ready.
//! 4. For each request it makes a child ([`clone`]), which becomes the program.
//!
//! Every access to memory goes by addresses of the plan, which the nursery has checked: nothing here is allocated,
//! and no reference is made to what the program can write.
#![no_std]
#![no_main]

mod barrier;
mod child;
mod clock;
mod clone;
mod confine;
mod generation;
mod identity;
mod interpret;
mod memory;
mod message;
mod pin;
mod place;
mod sys;
mod threads;
mod touch;
mod traps;

use core::arch::global_asm;

use offshoot_plan::{
    COPY_BASE, ENGINE_BASE, ENGINE_BYTES, Header, PARK_BASE, PLAN_BASE, PLAN_MAX_BYTES, Phase,
    Reply, ReplyKind, STUB_DATA_BASE, USER_END, fd,
};

// The kernel's stack is among what is unmapped: the stub has its own, in its data.
global_asm!(
    ".globl _start",
    "_start:",
    "mov rdi, rsp",
    "lea rsp, [rip + STACK_END]",
    "xor ebp, ebp",
    "call {start}",
    "hlt",
    ".section .bss.stack,\"aw\",@nobits",
    ".balign 4096",
    ".skip 16384",
    "STACK_END:",
    ".skip 64",
    ".text",
    start = sym start,
);

unsafe extern "C" {
    // From the linker script.
    static TEXT_END: u8;
    static DATA_END: u8;
}

/// Lowest address that may be mapped; `vm.mmap_min_addr` is at most this.
const LOWEST: u64 = 0x1_0000;
const AT_SYSINFO_EHDR: u64 = 33;
const PROT_READ_WRITE: u64 = 3;
const PROT_READ_EXEC: u64 = 5;
const MAP_PRIVATE_FIXED: u64 = 0x12;
const MAP_ANONYMOUS: u64 = 0x20;
const MREMAP_MOVE: u64 = 3; // MREMAP_MAYMOVE | MREMAP_FIXED

/// The beginning of the plan.
fn header() -> &'static Header {
    // SAFETY: the plan is mapped before this is first called, and nobody writes its header.
    unsafe { &*(PLAN_BASE as *const Header) }
}

/// One of the stub's own descriptors.
fn own(descriptor: u32) -> u64 {
    u64::from(header().fd_base + descriptor)
}

/// # Safety
/// `stack` is the initial stack as the kernel lays it out (`execve(2)`).
unsafe extern "C" fn start(stack: *const u64) -> ! {
    // SAFETY: the stack holds argc, the arguments, a zero, the environment, a zero, and the auxiliary vector.
    let (fd_base, number, vdso) =
        unsafe { (argument(stack, 1), argument(stack, 2), sysinfo(stack)) };
    let all_signals = u64::MAX;
    // SAFETY: a mask of eight bytes; descriptors that the nursery has left there; addresses of the engine's region,
    // in which only the stub is mapped so far.
    unsafe {
        sys::call(
            sys::SIGPROCMASK,
            [2, &raw const all_signals as u64, 0, 8, 0, 0],
        );
        sys::call3(sys::CLOSE_RANGE, 0, u64::from(fd_base) - 1, 0);
        let plan = u64::from(fd_base + fd::PLAN);
        // The header says how long the plan is. Not more is mapped: it counts against limits of the program.
        map_plan(plan, 4096);
        map_plan(plan, header().bytes.min(PLAN_MAX_BYTES));
        anonymise(ENGINE_BASE, &raw const TEXT_END as u64, PROT_READ_EXEC);
        anonymise(STUB_DATA_BASE, &raw const DATA_END as u64, PROT_READ_WRITE);
        clear_address_space(vdso);
        sys::call3(sys::CLOSE, plan, 0, 0);
    }
    // First, so that its memory is near that processor.
    place::settle(number);
    if let Err((op, result)) = interpret::run(header().template) {
        fail(0, Phase::Template, op, result);
    }
    if let Err((op, result)) = traps::install() {
        fail(0, Phase::Stub, op, result);
    }
    // Most files have only been mapped.
    let files = u64::from(fd_base + fd::FILES + header().kept_files);
    // SAFETY: closes descriptors that nothing uses any more.
    unsafe { sys::call3(sys::CLOSE_RANGE, files, u64::from(u32::MAX), 0) };
    if let Err(error) = generation::map() {
        fail(0, Phase::Stub, 11, error);
    }
    pin::pin();
    pin::bring_plan_in();
    if let Err(error) = confine::install() {
        fail(0, Phase::Stub, 12, error);
    }
    message::say(
        &Reply {
            kind: ReplyKind::Ready as u32,
            ..Reply::default()
        },
        None,
    );
    clone::serve()
}

/// # Safety
/// `plan` is the plan's descriptor; nothing but the plan is mapped where it goes.
unsafe fn map_plan(plan: u64, bytes: u64) {
    let flags = MAP_PRIVATE_FIXED;
    let map = [PLAN_BASE, bytes, PROT_READ_WRITE, flags, plan, 0];
    // SAFETY: as the caller's.
    if sys::is_error(unsafe { sys::call(sys::MMAP, map) }) {
        sys::exit(90);
    }
}

/// An argument, in decimal: the first of the stub's descriptors is 1, the template's number is 2.
///
/// # Safety
/// As [`start`].
unsafe fn argument(stack: *const u64, index: usize) -> u32 {
    // SAFETY: behind argc, which is 3, argv[index] is a string that ends with a zero.
    let mut digit = unsafe { *stack.add(1 + index) } as *const u8;
    let mut number = 0_u32;
    loop {
        // SAFETY: not behind the zero.
        let byte = unsafe { *digit };
        if !byte.is_ascii_digit() {
            return number;
        }
        number = number.wrapping_mul(10).wrapping_add(u32::from(byte - b'0'));
        // SAFETY: the byte was not the zero.
        digit = unsafe { digit.add(1) };
    }
}

/// The address of the vDSO's code, from the auxiliary vector.
///
/// # Safety
/// As [`start`].
unsafe fn sysinfo(stack: *const u64) -> u64 {
    // SAFETY: each step stays within what the kernel has laid out, up to AT_NULL.
    unsafe {
        let mut word = stack.add(1 + *stack as usize + 1);
        while *word != 0 {
            word = word.add(1);
        }
        let mut pair = word.add(1);
        while *pair != 0 && *pair != AT_SYSINFO_EHDR {
            pair = pair.add(2);
        }
        if *pair == 0 { 0 } else { *pair.add(1) }
    }
}

/// Lays an anonymous copy over `[start, end)`.
///
/// # Safety
/// The range is the stub's own, and [`COPY_BASE`] is free. The copy equals the original, so the code that runs and the
/// stack that it runs on do not notice.
unsafe fn anonymise(start: u64, end: u64, protection: u64) {
    let bytes = (end - start).next_multiple_of(4096);
    let flags = MAP_PRIVATE_FIXED | MAP_ANONYMOUS;
    let map = [COPY_BASE, bytes, PROT_READ_WRITE, flags, u64::MAX, 0];
    // SAFETY: as the caller's; eight bytes at a time, both ranges being whole pages.
    unsafe {
        if sys::is_error(sys::call(sys::MMAP, map)) {
            sys::exit(91);
        }
        let mut at = 0;
        while at < bytes {
            *((COPY_BASE + at) as *mut u64) = *((start + at) as *const u64);
            at += 8;
        }
        sys::call3(sys::MPROTECT, COPY_BASE, bytes, protection);
        let remap = [COPY_BASE, bytes, bytes, MREMAP_MOVE, start, 0];
        if sys::is_error(sys::call(sys::MREMAP, remap)) {
            sys::exit(92);
        }
    }
}

/// Leaves nothing but the engine's region and the kernel's own mappings, these where the program had them.
///
/// # Safety
/// The stub runs in the engine's region; `vdso` is where the kernel has put the vDSO's code.
unsafe fn clear_address_space(vdso: u64) {
    let specials = &header().specials[..(header().special_count as usize).min(4)];
    let shift = |from: u64, bytes: u64, to: u64| {
        // SAFETY: `mremap` moves whole mappings; both addresses are in nobody's use.
        let moved = unsafe { sys::call(sys::MREMAP, [from, bytes, bytes, MREMAP_MOVE, to, 0]) };
        if moved != to as i64 {
            fail(0, Phase::Stub, 1, moved);
        }
    };
    // First out of the way: where one was, another may have to be.
    let mut parked = PARK_BASE;
    for special in specials {
        shift(vdso - special.below_vdso, special.bytes, parked);
        parked += special.bytes;
    }
    let engine_end = ENGINE_BASE + ENGINE_BYTES;
    // SAFETY: nothing that is unmapped is used again.
    unsafe {
        sys::call3(sys::MUNMAP, LOWEST, ENGINE_BASE - LOWEST, 0);
        sys::call3(sys::MUNMAP, engine_end, USER_END - engine_end, 0);
    }
    parked = PARK_BASE;
    for special in specials {
        shift(parked, special.bytes, special.target);
        parked += special.bytes;
    }
}

/// Reports a failure and ends.
fn fail(token: u64, phase: Phase, op: u32, result: i64) -> ! {
    message::say(
        &Reply {
            kind: ReplyKind::Failed as u32,
            pid: 0,
            token,
            phase: phase as u32,
            op,
            result,
        },
        None,
    );
    sys::exit(93)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(94)
}
