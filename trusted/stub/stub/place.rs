//! Where a template forks, and where its clones begin: on one processor, which has the template's memory in its cache.
//!
//! The kernel would wake the template on whichever processor is idle, and put a new process on the idlest one
//! (`SD_BALANCE_FORK`); either would have to fetch page tables and pages again, which doubles the time of a fork. So a
//! template stays on one, and a clone begins there, and is then free to go where its program may.

use core::ptr::{addr_of, addr_of_mut};

use crate::sys;

const SCHED_SETAFFINITY: u32 = 203;
const SCHED_GETAFFINITY: u32 = 204;
/// Room for 8192 processors, as many as Linux can have.
const MASK_BYTES: usize = 1024;

/// The processors that the program may use, and how many bytes the kernel has for them; none if it does not tell.
static mut ALLOWED: [u8; MASK_BYTES] = [0; MASK_BYTES];
static mut ALLOWED_BYTES: u64 = 0;

/// Binds the template to one of the processors that it may use, one template after the other to the next. Where that
/// fails, clones begin wherever they do.
pub fn settle(number: u32) {
    let mut mask = [0_u8; MASK_BYTES];
    // SAFETY: the template has one thread; the kernel writes at most as many bytes as it is told.
    unsafe {
        let allowed = addr_of_mut!(ALLOWED);
        let bytes = sys::call3(SCHED_GETAFFINITY, 0, MASK_BYTES as u64, allowed as u64);
        ALLOWED_BYTES = if sys::is_error(bytes) { 0 } else { bytes as u64 };
        choose(&*allowed, number, &mut mask);
    }
    set(addr_of!(mask) as u64);
}

/// Sets the bit of one of the allowed processors.
fn choose(allowed: &[u8; MASK_BYTES], number: u32, mask: &mut [u8; MASK_BYTES]) {
    let count: u32 = allowed.iter().map(|byte| byte.count_ones()).sum();
    let mut left = number.checked_rem(count).unwrap_or(0);
    for (allowed, byte) in allowed.iter().zip(mask) {
        for bit in 0..8 {
            if allowed & (1 << bit) == 0 {
                continue;
            }
            if left == 0 {
                *byte = 1 << bit;
                return;
            }
            left -= 1;
        }
    }
}

/// Frees a clone.
pub fn leave() {
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
