//! Which pages a process has: `PAGEMAP_SCAN` (Linux 6.7), or `/proc/pid/pagemap` page by page.
// UNSAFETY: an ioctl that fills an array whose address is a number.
#![expect(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

const PAGE_BYTES: u64 = 4096;
/// How many regions one call may return.
const BATCH: usize = 2048;
/// Entries read at once without the ioctl.
const ENTRIES: usize = 4096;

/// What is known about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageKinds(u64);

impl PageKinds {
    /// It is a page of a file, shared memory included, and not the process's own copy.
    pub const FILE: Self = Self(1 << 2);
    /// It is in memory.
    pub const PRESENT: Self = Self(1 << 3);
    /// It is in swap space.
    pub const SWAPPED: Self = Self(1 << 4);
    /// It is the kernel's page of zeros.
    pub const ZERO: Self = Self(1 << 5);
    /// It is part of a huge page.
    pub const HUGE: Self = Self(1 << 6);
    /// It is a guard page (`MADV_GUARD_INSTALL`); Linux 6.15 tells.
    pub const GUARD: Self = Self(1 << 8);

    /// Whether all of these are so.
    pub const fn has(self, kinds: Self) -> bool {
        self.0 & kinds.0 == kinds.0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Consecutive pages of the same kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// What they are.
    pub kinds: PageKinds,
}

/// The page map of a process.
#[derive(Debug)]
pub struct Pagemap {
    file: File,
}

impl Pagemap {
    /// Opens it.
    ///
    /// # Errors
    /// The errors of opening `/proc/pid/pagemap`.
    pub fn open(pid: u32) -> io::Result<Self> {
        let file = File::open(format!("/proc/{pid}/pagemap"))?;
        Ok(Self { file })
    }

    /// The pages between two addresses that are present, swapped or guarded, ascending.
    ///
    /// # Errors
    /// The errors of `PAGEMAP_SCAN`, or of reading where the kernel lacks it.
    pub fn scan(&self, start: u64, end: u64) -> io::Result<Vec<Region>> {
        let data = PageKinds::PRESENT.or(PageKinds::SWAPPED);
        let most = data.or(PageKinds::GUARD);
        match self.scan_by_ioctl(start, end, most) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                match self.scan_by_ioctl(start, end, data) {
                    Err(error) if is_unknown(&error) => self.scan_by_entry(start, end),
                    scanned => scanned,
                }
            }
            Err(error) if is_unknown(&error) => self.scan_by_entry(start, end),
            scanned => scanned,
        }
    }

    fn scan_by_ioctl(&self, start: u64, end: u64, any_of: PageKinds) -> io::Result<Vec<Region>> {
        /// `struct pm_scan_arg` (`linux/fs.h`).
        #[repr(C)]
        #[derive(Default)]
        struct Scan {
            size: u64,
            flags: u64,
            start: u64,
            end: u64,
            walk_end: u64,
            vec: u64,
            vec_len: u64,
            max_pages: u64,
            category_inverted: u64,
            category_mask: u64,
            category_anyof_mask: u64,
            return_mask: u64,
        }
        /// `_IOWR('f', 16, struct pm_scan_arg)`.
        const PAGEMAP_SCAN: libc::c_ulong = 0xc060_6610;
        let kinds = any_of
            .or(PageKinds::FILE)
            .or(PageKinds::ZERO)
            .or(PageKinds::HUGE);
        let mut found: Vec<Region> = Vec::new();
        let mut batch = vec![[0_u64; 3]; BATCH];
        let mut from = start;
        while from < end {
            let mut scan = Scan {
                size: size_of::<Scan>() as u64,
                start: from,
                end,
                vec: batch.as_mut_ptr() as u64,
                vec_len: batch.len() as u64,
                category_anyof_mask: any_of.0,
                return_mask: kinds.0,
                ..Scan::default()
            };
            // SAFETY: the structure is the kernel's; it fills at most `vec_len` regions of three
            // words at `vec`, which is `batch`.
            let filled = unsafe { libc::ioctl(self.file.as_raw_fd(), PAGEMAP_SCAN, &raw mut scan) };
            let Ok(filled) = usize::try_from(filled) else {
                return Err(io::Error::last_os_error());
            };
            for [start, end, kinds] in batch.iter().take(filled) {
                push(
                    &mut found,
                    Region {
                        start: *start,
                        end: *end,
                        kinds: PageKinds(*kinds),
                    },
                );
            }
            // Where the kernel has stopped is true only if it has stopped. Where it has come to the end, it may be where it
            // last emptied a buffer of its own, of 512 regions (`do_pagemap_scan` in `fs/proc/task_mmu.c`, Linux 6.7 to 6.18).
            if filled < batch.len() || scan.walk_end <= from {
                break;
            }
            from = scan.walk_end;
        }
        Ok(found)
    }

    /// `Documentation/admin-guide/mm/pagemap.rst`: bit 63 present, 62 swapped, 61 file, 58 guard.
    fn scan_by_entry(&self, start: u64, end: u64) -> io::Result<Vec<Region>> {
        let mut found = Vec::new();
        let mut bytes = vec![0_u8; ENTRIES * 8];
        let mut page = start / PAGE_BYTES;
        let last = end.div_ceil(PAGE_BYTES);
        while page < last {
            let wanted = (last - page).min(ENTRIES as u64) as usize * 8;
            let read = self.file.read_at(&mut bytes[..wanted], page * 8)?;
            if read < 8 {
                break;
            }
            for entry in bytes[..read].as_chunks::<8>().0 {
                let entry = u64::from_le_bytes(*entry);
                let mut kinds = PageKinds::default();
                for (bit, kind) in [
                    (63, PageKinds::PRESENT),
                    (62, PageKinds::SWAPPED),
                    (61, PageKinds::FILE),
                    (58, PageKinds::GUARD),
                ] {
                    if entry >> bit & 1 != 0 {
                        kinds = kinds.or(kind);
                    }
                }
                if kinds != PageKinds::default() && kinds != PageKinds::FILE {
                    let start = page * PAGE_BYTES;
                    push(
                        &mut found,
                        Region {
                            start,
                            end: start + PAGE_BYTES,
                            kinds,
                        },
                    );
                }
                page += 1;
            }
        }
        Ok(found)
    }
}

/// Joins a region to the one before it where it continues that.
fn push(found: &mut Vec<Region>, region: Region) {
    match found.last_mut() {
        Some(last) if last.end == region.start && last.kinds == region.kinds => {
            last.end = region.end;
        }
        _ => found.push(region),
    }
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Buffer;

    #[test]
    fn both_ways_find_the_written_pages_and_only_those() {
        let mut buffer = Buffer::new(64 * 4096).unwrap();
        let start = buffer.as_ptr() as u64;
        // SAFETY: advice about our own buffer: small pages, so that one write makes one page.
        unsafe { libc::madvise(start as *mut _, buffer.len(), libc::MADV_NOHUGEPAGE) };
        for page in [3, 4, 5, 40] {
            buffer[page * 4096] = 1;
        }
        let pagemap = Pagemap::open(std::process::id()).unwrap();
        let end = start + 64 * 4096;
        for found in [pagemap.scan(start, end), pagemap.scan_by_entry(start, end)] {
            let found: Vec<_> = found
                .unwrap()
                .into_iter()
                .filter(|region| !region.kinds.has(PageKinds::ZERO))
                .map(|region| ((region.start - start) / 4096, (region.end - start) / 4096))
                .collect();
            assert_eq!(found, [(3, 6), (40, 41)]);
        }
    }

    /// More than the kernel's own buffer holds (512), and more than one call gives.
    #[test]
    fn many_regions_are_told_once_each_and_ascending() {
        for regions in [700, 3 * BATCH + 5] {
            let pages = 2 * regions;
            let mut buffer = Buffer::new(pages * 4096).unwrap();
            let start = buffer.as_ptr() as u64;
            // SAFETY: advice about our own buffer: small pages, so that one write makes one page.
            unsafe { libc::madvise(start as *mut _, buffer.len(), libc::MADV_NOHUGEPAGE) };
            for page in (0..pages).step_by(2) {
                buffer[page * 4096] = 1;
            }
            let pagemap = Pagemap::open(std::process::id()).unwrap();
            // Beyond the buffer, too, where other pages are: so the walk goes on after the last one.
            let found = pagemap.scan(start, (1 << 47) - 4096).unwrap();
            assert!(found.is_sorted_by(|one, next| one.end <= next.start));
            let end = start + buffer.len() as u64;
            let own = found.iter().take_while(|region| region.start < end);
            assert_eq!(own.count(), regions);
        }
    }

    #[test]
    fn guard_pages_are_told() {
        let buffer = Buffer::new(16 * 4096).unwrap();
        let start = buffer.as_ptr() as u64;
        // SAFETY: guards (MADV_GUARD_INSTALL) in our own buffer, which nothing touches.
        let done = unsafe { libc::madvise((start + 8192) as *mut _, 8192, 102) };
        assert_eq!(done, 0);
        let pagemap = Pagemap::open(std::process::id()).unwrap();
        let found = pagemap.scan(start, start + 16 * 4096).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].kinds.has(PageKinds::GUARD));
        assert_eq!(
            (found[0].start - start, found[0].end - start),
            (8192, 16384)
        );
    }
}
