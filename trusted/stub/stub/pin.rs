//! Pages that `fork` copies at once, and page table entries that it copies.

use core::ptr::addr_of_mut;

use offshoot_plan::{PLAN_BASE, fd};

use crate::{header, own, sys};

/// `struct io_uring_params`.
const PARAMETER_WORDS: usize = 15;
const IORING_REGISTER_BUFFERS: u64 = 0;
const O_CLOEXEC: u64 = 0o2_000_000;
/// The last of the page that the plan's header has for itself.
const UNUSED_WORD: u64 = 4096 - 8;
const MADV_POPULATE_READ: u64 = 22;

/// Pins the plan's buffers by registering them with a ring, which stays open and is never used. Where there is no ring,
/// nothing is pinned: a clone then takes a fault for each page that it writes.
pub fn pin() {
    let pinned = header().pinned;
    let mut parameters = [0_u64; PARAMETER_WORDS];
    // SAFETY: the parameters are live memory of the length that the kernel writes; the buffers' addresses lie in the
    // plan, and what they name is only pinned.
    unsafe {
        let parameters = addr_of_mut!(parameters) as u64;
        let ring = sys::call3(sys::IO_URING_SETUP, 1, parameters, 0);
        if sys::is_error(ring) {
            return;
        }
        let ring = ring as u64;
        if ring != own(fd::RING) {
            sys::call3(sys::DUP3, ring, own(fd::RING), O_CLOEXEC);
            sys::call3(sys::CLOSE, ring, 0, 0);
        }
        let buffers = PLAN_BASE + pinned.offset;
        let register = IORING_REGISTER_BUFFERS;
        let call = [own(fd::RING), register, buffers, pinned.count, 0, 0];
        sys::call(sys::IO_URING_REGISTER, call);
    }
}

/// Brings the plan in. One of its pages is written, so that it counts as private memory, whose page table entries `fork`
/// copies.
pub fn bring_plan_in() {
    // SAFETY: the plan is mapped; the word behind the header is in nobody's use.
    unsafe {
        sys::call3(
            sys::MADVISE,
            PLAN_BASE,
            header().bytes.next_multiple_of(4096),
            MADV_POPULATE_READ,
        );
        ((PLAN_BASE + UNUSED_WORD) as *mut u64).write_volatile(0);
    }
}
