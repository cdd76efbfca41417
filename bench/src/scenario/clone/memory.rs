//! What a process has for itself.

use anyhow::Context;
use procfs::process::{MemoryPageFlags, PageInfo, Process};

const PAGE_BYTES: u64 = 4096;
const PAGE_KIB: u64 = PAGE_BYTES >> 10;
/// Entries that are read at a time.
const BATCH_PAGES: u64 = 1 << 16;

/// How much of a process's memory is gone when it is: pages that are anonymous (not of a file, and not of shared memory) and
/// that no other process maps, in KiB. `/proc/pid/pagemap` says both of each page (bits 61 and 56).
///
/// Pages that are shared with a template are not among them, nor are those of the pool, nor page tables.
pub(in crate::scenario) fn private_kb(pid: i32) -> anyhow::Result<u64> {
    let process = Process::new(pid).with_context(|| format!("cannot look at process {pid}"))?;
    let mut pagemap = process.pagemap()?;
    let mut pages = 0;
    for mapping in process.smaps()? {
        if mapping
            .extension
            .map
            .get("Anonymous")
            .is_none_or(|bytes| *bytes == 0)
        {
            continue;
        }
        let (mut at, end) = (
            mapping.address.0 / PAGE_BYTES,
            mapping.address.1 / PAGE_BYTES,
        );
        while at < end {
            let until = end.min(at + BATCH_PAGES);
            let infos = pagemap.get_range_info(at as usize..until as usize)?;
            pages += infos.iter().filter(|info| is_private(info)).count() as u64;
            at = until;
        }
    }
    Ok(pages * PAGE_KIB)
}

fn is_private(info: &PageInfo) -> bool {
    let PageInfo::MemoryPage(flags) = info else {
        return false;
    };
    flags.contains(MemoryPageFlags::PRESENT | MemoryPageFlags::MMAP_EXCLUSIVE)
        && !flags.contains(MemoryPageFlags::FILE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn written_memory_is_counted_and_memory_that_was_only_reserved_is_not() {
        let own = || private_kb(std::process::id() as i32).unwrap();
        let before = own();
        let written = vec![1_u8; 8 << 20];
        let reserved: Vec<u8> = Vec::with_capacity(64 << 20);
        let grown = own() - before;
        // Other tests run in this process, too.
        assert!((7 << 10..32 << 10).contains(&grown), "{grown} KiB");
        drop((written, reserved));
    }
}
