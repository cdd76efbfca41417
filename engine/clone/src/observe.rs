//! Which pages a watched clone has needed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use offshoot_image::model::{Manifest, PAGE_BYTES, PageRange, Profile};

/// Bits of `/proc/pid/pagemap` (`Documentation/admin-guide/mm/pagemap.rst`).
const PRESENT: u64 = 1 << 63;
const OF_FILE: u64 = 1 << 61;
const EXCLUSIVE: u64 = 1 << 56;

/// Why a clone could not be observed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the page map of process {pid}")]
pub struct ObserveError {
    pid: i32,
    #[source]
    source: io::Error,
}

/// Reads which pages a clone has touched and written since it was made with [`Fork::watch`](crate::Fork). Do it while the
/// clone waits, after its first answer.
///
/// Written is what no other process shares any more, and is of no file: with a template that is resident, every page
/// that a clone has written and none that it has not. Touched is what is present of read-only memory; of writable memory
/// it does not matter, because page table entries of private memory are inherited.
///
/// # Errors
/// The process is gone, or may not be looked at.
pub fn observe(pid: i32, manifest: &Manifest) -> Result<Profile, ObserveError> {
    let failed = |source| ObserveError { pid, source };
    let pagemap = File::open(format!("/proc/{pid}/pagemap")).map_err(failed)?;
    let mut profile = Profile::default();
    let mut entries = Vec::new();
    for mapping in manifest.mappings.iter().filter(|mapping| !mapping.shared) {
        let first = mapping.start / PAGE_BYTES;
        let pages = (mapping.end - mapping.start) / PAGE_BYTES;
        entries.resize(pages as usize * 8, 0);
        let read = pagemap.read_at(&mut entries, first * 8).map_err(failed)?;
        for (index, entry) in entries[..read].as_chunks().0.iter().enumerate() {
            let entry = u64::from_le_bytes(*entry);
            let page = first + index as u64;
            if entry & PRESENT == 0 {
                continue;
            }
            if entry & OF_FILE == 0 && entry & EXCLUSIVE != 0 {
                push(&mut profile.dirty, page);
            }
            push(&mut profile.accessed, page);
        }
    }
    Ok(profile)
}

fn push(ranges: &mut Vec<PageRange>, page: u64) {
    match ranges.last_mut() {
        Some(last) if last.page + last.pages == page => last.pages += 1,
        _ => ranges.push(PageRange { page, pages: 1 }),
    }
}
