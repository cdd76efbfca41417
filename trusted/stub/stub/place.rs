//! Where a clone begins to run: on the processor that has just copied its memory, and has it in its cache.
//!
//! The scheduler puts a new process on the idlest processor (`SD_BALANCE_FORK`), which would have to be woken and to
//! fetch all of it again. So the template is bound to its processor while it forks, and the clone frees itself first.

use core::ptr::{addr_of, addr_of_mut};

use crate::sys;

const SCHED_SETAFFINITY: u32 = 203;
const SCHED_GETAFFINITY: u32 = 204;
const GETCPU: u32 = 309;
/// Room for 8192 processors, as many as Linux can have.
const MASK_BYTES: usize = 1024;

/// The processors that the template may use, and how many bytes the kernel has for them; none if it does not tell.
static mut ALLOWED: [u8; MASK_BYTES] = [0; MASK_BYTES];
static mut ALLOWED_BYTES: u64 = 0;

/// Binds the template to the processor that it runs on. Where that fails, the clone begins wherever it does.
pub fn bind() {
    let mut processor = 0_u32;
    let mut mask = [0_u8; MASK_BYTES];
    // SAFETY: the template has one thread; the kernel writes at most as many bytes as it is told.
    unsafe {
        if ALLOWED_BYTES == 0 {
            let allowed = addr_of_mut!(ALLOWED) as u64;
            let bytes = sys::call3(SCHED_GETAFFINITY, 0, MASK_BYTES as u64, allowed);
            ALLOWED_BYTES = if sys::is_error(bytes) { 0 } else { bytes as u64 };
        }
        sys::call3(GETCPU, addr_of_mut!(processor) as u64, 0, 0);
        if let Some(byte) = mask.get_mut(processor as usize / 8) {
            *byte = 1 << (processor % 8);
        }
        set(addr_of!(mask) as u64);
    }
}

/// Frees the caller, template or clone, again.
pub fn free() {
    set(addr_of!(ALLOWED) as u64);
}

fn set(mask: u64) {
    // SAFETY: reads a mask of the length that the kernel has told; there is nothing to set if it has told none.
    unsafe {
        let bytes = ALLOWED_BYTES;
        if bytes != 0 {
            sys::call3(SCHED_SETAFFINITY, 0, bytes, mask);
        }
    }
}
