//! The generation page, which tells a program that it is a clone, and which (`docs/format/generation.md`).

use offshoot_plan::{GENERATION_BASE, Generation};

use crate::sys;

const GETRANDOM: u32 = 318;
const PR_SET_VMA: u64 = 0x5356_4d41;
const READ_WRITE: u64 = 3;
/// `MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS`.
const PRIVATE_FIXED_ANONYMOUS: u64 = 0x32;
const NAME: &[u8] = b"offshoot:generation\0";

/// The page. Only ever touched through this pointer: the program may write there, too.
fn page() -> *mut Generation {
    GENERATION_BASE as *mut Generation
}

/// Maps the page in the template.
pub fn map() -> Result<(), i64> {
    let map = [GENERATION_BASE, 4096, READ_WRITE, PRIVATE_FIXED_ANONYMOUS, u64::MAX, 0];
    let name = [PR_SET_VMA, 0, GENERATION_BASE, 4096, NAME.as_ptr() as u64, 0];
    // SAFETY: the page is one of the engine's region that nothing else uses; a kernel that names no memory says so.
    unsafe {
        let mapped = sys::call(sys::MMAP, map);
        if sys::is_error(mapped) {
            return Err(mapped);
        }
        sys::call(sys::PRCTL, name);
        page().write(Generation::of_template());
    }
    Ok(())
}

/// Counts a clone, in the template, before it is made.
pub fn count() {
    // SAFETY: the page is mapped, and the template has one thread.
    unsafe {
        let count = &raw mut (*page()).count;
        count.write(count.read().wrapping_add(1));
    }
}

/// Gives this clone its own id.
pub fn begin() -> Result<(), i64> {
    // SAFETY: the kernel writes as many bytes as the id has.
    let filled = unsafe {
        let id = &raw mut (*page()).id;
        sys::call3(GETRANDOM, id as u64, size_of::<[u8; 16]>() as u64, 0)
    };
    // So few bytes come at once or not at all (`getrandom(2)`).
    if sys::is_error(filled) { Err(filled) } else { Ok(()) }
}
