//! A parked clone reads its pages once, so that the processor has done what it does at the first access to each.

use core::mem::size_of;
use core::ptr::read_volatile;

use offshoot_plan::PLAN_BASE;

use crate::header;

const PAGE_BYTES: u64 = 4096;

/// Address and length, as `struct iovec` has them.
#[repr(C)]
struct Buffer {
    start: u64,
    bytes: u64,
}

/// Reads a byte of each page that the plan names.
pub fn touch() {
    let touched = header().touched;
    for index in 0..touched.count {
        let at = PLAN_BASE + touched.offset + index * size_of::<Buffer>() as u64;
        // SAFETY: the nursery has checked that the span lies within the plan.
        let buffer = unsafe { &*(at as *const Buffer) };
        let mut page = 0;
        while page < buffer.bytes {
            // SAFETY: reads memory of the program that its image says is there and readable. If it is not, the image has
            // lied, and the clone, in which nothing but the image's own memory is at stake, dies of SIGSEGV.
            unsafe { read_volatile((buffer.start + page) as *const u8) };
            page += PAGE_BYTES;
        }
    }
}
