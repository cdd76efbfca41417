//! Signal frames: by returning from a signal that never was, a thread gets all its registers at once.
//!
//! Layout: `struct ucontext` and `struct _xstate` in the kernel's `arch/x86/include/uapi/asm/{ucontext,sigcontext}.h`;
//! `rt_sigreturn` reads it at the stack pointer (`arch/x86/kernel/signal_64.c`).

use offshoot_image::model::{Registers, Thread};

use super::builder::Builder;

/// `UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS`.
const UC_FLAGS: u64 = 7;
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Where the software's bytes lie in the legacy area (`struct _fpx_sw_bytes`).
const SOFTWARE_BYTES: usize = 464;
/// Where the XSAVE header says which components are not in their initial state.
const XSTATE_BV: usize = 512;
/// Component 18; a program must ask before it uses it.
const TILE_DATA: u64 = 1 << 18;
/// Legacy area and XSAVE header: the shortest area that XSAVE writes.
const LEAST_XSAVE_BYTES: usize = 576;

/// In the order of the frame: registers as indices of `user_regs_struct`.
const ORDER: [usize; 18] = [9, 8, 7, 6, 3, 2, 1, 0, 14, 13, 4, 5, 12, 10, 11, 19, 16, 18];
const CS: usize = 17;
const SS: usize = 20;

/// Puts a thread's frame into the plan; the address that the stack pointer must have.
pub(super) fn put(builder: &mut Builder, thread: &Thread, xcr0: u64) -> u64 {
    let area = xsave_area(&thread.xsave, xcr0);
    let area = builder.put(&area, 64);
    let Registers(registers) = &thread.registers;
    let mut words = vec![UC_FLAGS, 0];
    let alt_stack = &thread.alt_stack;
    words.extend([alt_stack.start, u64::from(alt_stack.flags), alt_stack.bytes]);
    words.extend(ORDER.map(|index| registers[index]));
    words.push((registers[CS] & 0xffff) | (registers[SS] & 0xffff) << 48);
    // err, trapno, oldmask, cr2
    words.extend([0; 4]);
    words.push(area);
    words.extend([0; 8]);
    words.push(thread.signal_mask);
    builder.put_words(&words)
}

/// The components that a frame says it has: all that the kernel has enabled, but the data of AMX tiles only if there is
/// some. A kernel takes no more than the thread has room for, and else nothing but the legacy area
/// (`check_xstate_in_sigframe` in `arch/x86/kernel/fpu/signal.c`).
fn components(area: &[u8], xcr0: u64) -> u64 {
    let in_use = area[XSTATE_BV..]
        .first_chunk()
        .map_or(0, |bits| u64::from_le_bytes(*bits));
    xcr0 & (!TILE_DATA | in_use)
}

/// The XSAVE area as a signal frame has it: with the software's bytes, and the second magic behind.
fn xsave_area(xsave: &[u8], xcr0: u64) -> Vec<u8> {
    let mut area = xsave.to_vec();
    area.resize(area.len().max(LEAST_XSAVE_BYTES), 0);
    let bytes = area.len() as u32;
    // The regset carries the enabled components where a signal frame has these bytes.
    let mut software = [0_u8; 48];
    software[..4].copy_from_slice(&FP_XSTATE_MAGIC1.to_le_bytes());
    software[4..8].copy_from_slice(&(bytes + 4).to_le_bytes());
    software[8..16].copy_from_slice(&components(&area, xcr0).to_le_bytes());
    software[16..20].copy_from_slice(&bytes.to_le_bytes());
    area[SOFTWARE_BYTES..SOFTWARE_BYTES + 48].copy_from_slice(&software);
    area.extend(FP_XSTATE_MAGIC2.to_le_bytes());
    area
}
