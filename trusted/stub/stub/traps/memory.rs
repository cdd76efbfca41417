//! Memory of the pool becomes anonymous where the program needs it to be.

use super::maps::{Area, FileId, Maps};
use super::{EINVAL, element, range_from};
use crate::{MAP_ANONYMOUS, MAP_PRIVATE_FIXED, MREMAP_MOVE, PROT_READ_WRITE, header, sys};
use offshoot_plan::traps::TrapRange;

const PAGE: u64 = 4096;
const MAP_PRIVATE: u64 = 2;
const PROT_READ: u64 = 1;
const PROT_WRITE: u64 = 2;
const MADV_DONTNEED: u64 = 4;
const MADV_FREE: u64 = 8;
const MADV_DONTNEED_LOCKED: u64 = 24;
const MREMAP_FIXED_OR_DONTUNMAP: u64 = 2 | 4;
const ENOMEM: i64 = -12;
const MOST_IMAGES: u64 = 8;

/// The files of the pool that this template maps: the image and its parents. Written before the first clone is made.
static mut IMAGES: [FileId; MOST_IMAGES as usize] = [FileId::NONE; MOST_IMAGES as usize];

/// Asks which files lie at the plan's probes.
pub fn learn_images() -> Result<(), i64> {
    let probes = header().traps.probes;
    if probes.count > MOST_IMAGES {
        return Err(EINVAL);
    }
    let maps = Maps::open()?;
    let mut index = 0;
    while index < probes.count {
        // SAFETY: the nursery has checked that the span lies within the plan.
        let address = unsafe { core::ptr::read(element::<u64>(probes, index)) };
        let area = maps.from(address)?.ok_or(ENOMEM)?;
        // SAFETY: the template has one thread.
        unsafe {
            (&raw mut IMAGES)
                .cast::<FileId>()
                .add(index as usize)
                .write(area.file)
        };
        index += 1;
    }
    Ok(())
}

/// A part of the address space that is one mapping, and of the pool as a whole or not at all.
struct Part {
    start: u64,
    end: u64,
    area: Area,
    /// If it is memory of the pool: where it belongs.
    pool: Option<TrapRange>,
}

/// The first part of `start..end` that is mapped.
fn part(maps: &Maps, start: u64, end: u64) -> Result<Option<Part>, i64> {
    let Some(area) = maps.from(start)?.filter(|area| area.start < end) else {
        return Ok(None);
    };
    let mut part = Part {
        start: area.start.max(start),
        end: area.end.min(end),
        area,
        pool: None,
    };
    // SAFETY: nobody writes them any more.
    let images = unsafe { core::ptr::read(&raw const IMAGES) };
    let is_of_image = area.file != FileId::NONE && !area.shared && images.contains(&area.file);
    if let Some(range) = range_from(part.start).filter(|_| is_of_image) {
        if range.start <= part.start {
            part.end = part.end.min(range.end);
            part.pool = Some(range);
        } else {
            part.end = part.end.min(range.start);
        }
    }
    Ok(Some(part))
}

/// `madvise(2)`: address, length, advice.
pub fn advise(arguments: [u64; 6]) -> i64 {
    let [start, bytes, advice, ..] = arguments;
    let end = bytes
        .checked_add(PAGE - 1)
        .and_then(|bytes| start.checked_add(bytes & !(PAGE - 1)));
    let Some(end) = end.filter(|_| start % PAGE == 0) else {
        return EINVAL;
    };
    advise_all(start, end, advice as u32 as u64).map_or_else(|error| error, |()| 0)
}

/// As the kernel does it: mapping by mapping, and what is not mapped is complained of at the end.
fn advise_all(start: u64, end: u64, advice: u64) -> Result<(), i64> {
    let maps = Maps::open()?;
    let (mut at, mut complete) = (start, true);
    while at < end {
        let Some(part) = part(&maps, at, end)? else {
            complete = false;
            break;
        };
        complete &= part.start == at;
        advise_part(&part, advice)?;
        at = part.end;
    }
    if complete { Ok(()) } else { Err(ENOMEM) }
}

fn advise_part(part: &Part, advice: u64) -> Result<(), i64> {
    let bytes = part.end - part.start;
    // SAFETY: advice that the program has asked for.
    let real = |advice| succeed(unsafe { sys::call3(sys::MADVISE, part.start, bytes, advice) });
    let Some(range) = &part.pool else {
        return real(advice);
    };
    match advice {
        // First what the kernel does of it: it may refuse.
        MADV_DONTNEED | MADV_FREE | MADV_DONTNEED_LOCKED => {
            real(if advice == MADV_FREE {
                MADV_DONTNEED
            } else {
                advice
            })?;
            empty(part, range)
        }
        _ => {
            own(part.start, part.end, part.area.protection, range)?;
            real(advice)
        }
    }
}

/// Lays new memory over a part that is not needed any more.
fn empty(part: &Part, range: &TrapRange) -> Result<(), i64> {
    let bytes = part.end - part.start;
    let protection = part.area.protection;
    let flags = MAP_PRIVATE_FIXED | MAP_ANONYMOUS | u64::from(range.map_flags);
    let map = [part.start, bytes, protection, flags, u64::MAX, 0];
    // SAFETY: the part is of the pool, and the program does not need what is there.
    let mapped = unsafe { sys::call(sys::MMAP, map) };
    // A process may have only so many mappings; then pages that are written over serve as well.
    if mapped == ENOMEM && protection & PROT_WRITE != 0 {
        // SAFETY: it is writable.
        unsafe { core::ptr::write_bytes(part.start as *mut u8, 0, bytes as usize) };
        return Ok(());
    }
    succeed(mapped)?;
    give_advice(part.start, bytes, range);
    Ok(())
}

/// Makes `start..end` one mapping of memory of its own, with the content that it has.
fn own(start: u64, end: u64, protection: u64, range: &TrapRange) -> Result<(), i64> {
    let bytes = end - start;
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | u64::from(range.map_flags);
    let map = [0, bytes, PROT_READ_WRITE, flags, u64::MAX, 0];
    // SAFETY: new memory, copied into, and laid over what it is a copy of.
    unsafe {
        let copy = sys::call(sys::MMAP, map);
        succeed(copy)?;
        let copy = copy as u64;
        if protection & PROT_READ == 0 {
            sys::call3(sys::MPROTECT, start, bytes, protection | PROT_READ);
        }
        let mut at = 0;
        while at < bytes {
            copy_page(start + at, copy + at);
            at += PAGE;
        }
        if protection != PROT_READ_WRITE {
            sys::call3(sys::MPROTECT, copy, bytes, protection);
        }
        give_advice(copy, bytes, range);
        let moved = sys::call(sys::MREMAP, [copy, bytes, bytes, MREMAP_MOVE, start, 0]);
        if sys::is_error(moved) {
            sys::call3(sys::MUNMAP, copy, bytes, 0);
        }
        succeed(moved)
    }
}

/// Copies a page to one of zeros; zeros are left out, because they take no memory so.
///
/// # Safety
/// `from` can be read, `to` written.
unsafe fn copy_page(from: u64, to: u64) {
    let (from, to) = (from as *const u64, to as *mut u64);
    // SAFETY: as the caller's; volatile, because other threads of the program may write.
    unsafe {
        let mut at = 0;
        while at < PAGE as usize / 8 && from.add(at).read_volatile() == 0 {
            at += 1;
        }
        if at < PAGE as usize / 8 {
            core::ptr::copy_nonoverlapping(from, to, PAGE as usize / 8);
        }
    }
}

/// Gives new memory the advice that the program had given.
fn give_advice(start: u64, bytes: u64, range: &TrapRange) {
    let mut left = range.advice;
    while left != 0 {
        let advice = u64::from(left.trailing_zeros());
        left &= left - 1;
        // SAFETY: advice that does not change what is there.
        unsafe { sys::call3(sys::MADVISE, start, bytes, advice) };
    }
}

/// `mremap(2)`: address, length, new length, flags, new address.
pub fn remap(arguments: [u64; 6]) -> i64 {
    let [start, bytes, new_bytes, flags, ..] = arguments;
    let end = bytes
        .checked_add(PAGE - 1)
        .and_then(|bytes| start.checked_add(bytes & !(PAGE - 1)));
    let stays = new_bytes <= bytes && flags & MREMAP_FIXED_OR_DONTUNMAP == 0;
    if let Some(end) = end.filter(|_| start % PAGE == 0 && !stays)
        && let Err(error) = own_all(start, end)
    {
        return error;
    }
    // SAFETY: what the program has asked for.
    unsafe { sys::call(sys::MREMAP, arguments) }
}

/// Makes memory that is to be moved, or to grow, the program's own: one mapping if it is one to the program.
fn own_all(start: u64, end: u64) -> Result<(), i64> {
    let maps = Maps::open()?;
    let (mut at, mut parts, mut of_pool) = (start, 0, None);
    let (mut uniform, mut protection) = (true, None);
    while at < end {
        let Some(part) = part(&maps, at, end)?.filter(|part| part.start == at) else {
            uniform = false;
            break;
        };
        uniform &= *protection.get_or_insert(part.area.protection) == part.area.protection;
        uniform &= part.pool.is_some() || part.area.file == FileId::NONE && !part.area.shared;
        of_pool = of_pool.or(part.pool);
        parts += 1;
        at = part.end;
    }
    let range = of_pool.or_else(|| range_from(start).filter(|range| range.start < end));
    match (range, protection) {
        (Some(range), Some(protection)) if uniform && (of_pool.is_some() || parts > 1) => {
            own(start, end, protection, &range)
        }
        (Some(_), _) if of_pool.is_some() => own_each(&maps, start, end),
        _ => Ok(()),
    }
}

/// What is not one mapping to the program either.
fn own_each(maps: &Maps, start: u64, end: u64) -> Result<(), i64> {
    let mut at = start;
    while let Some(part) = part(maps, at, end)? {
        if let Some(range) = &part.pool {
            own(part.start, part.end, part.area.protection, range)?;
        }
        at = part.end;
        if at >= end {
            break;
        }
    }
    Ok(())
}

fn succeed(result: i64) -> Result<(), i64> {
    if sys::is_error(result) {
        Err(result)
    } else {
        Ok(())
    }
}
