//! Dense chunks of 2 MiB of copied memory become huge pages: one page table entry to copy, instead of hundreds, and one
//! that the processor marks as accessed.
//!
//! By `MADV_COLLAPSE`, never by `MADV_HUGEPAGE`, which splits a mapping in two that the program knows as one. Not where
//! clones write: each would split the huge page first, and what is written is pinned, of which `fork` would copy all.

use offshoot_image::model::{Manifest, Mapping, MappingFlags, PAGE_BYTES};
use offshoot_plan::Op;

use super::builder::Builder;
use super::numbers as sys;
use super::ranges::within;

const MADV_POPULATE_WRITE: u64 = 23;
const MADV_COLLAPSE: u64 = 25;
const HUGE_PAGES: u64 = 512;
/// A chunk becomes a huge page if so many of its pages are there.
const DENSE_PAGES: u64 = 256;

/// Adds the operations for a mapping that is writable and still empty: so no page is moved, and what is copied in
/// afterwards causes no fault. A chunk that has no page at all would be refused.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest, mapping: &Mapping) {
    for chunk in chunks(manifest, mapping) {
        let mut advise = |pages: u64, what: u64| {
            let advise = [chunk * PAGE_BYTES, pages * PAGE_BYTES, what, 0, 0, 0];
            let op = Op::new(sys::MADVISE, advise).anything();
            builder.template.push(op);
        };
        advise(1, MADV_POPULATE_WRITE);
        advise(HUGE_PAGES, MADV_COLLAPSE);
    }
}

/// The first page of each chunk of a mapping that becomes a huge page.
fn chunks(manifest: &Manifest, mapping: &Mapping) -> Vec<u64> {
    let not_huge = MappingFlags::NO_HUGE_PAGES | MappingFlags::GROWS_DOWN;
    if mapping.flags.any(not_huge) {
        return Vec::new();
    }
    let first = (mapping.start / PAGE_BYTES).next_multiple_of(HUGE_PAGES);
    let last = mapping.end / PAGE_BYTES / HUGE_PAGES * HUGE_PAGES;
    let mut runs = mapping.runs.iter().peekable();
    let mut found = Vec::new();
    for chunk in (first..last).step_by(HUGE_PAGES as usize) {
        let end = chunk + HUGE_PAGES;
        while runs.next_if(|run| run.end() <= chunk).is_some() {}
        let inside = runs.clone().take_while(|run| run.page < end);
        let present: u64 = inside
            .map(|run| run.end().min(end).saturating_sub(run.page.max(chunk)))
            .sum();
        let (start, end) = (chunk * PAGE_BYTES, end * PAGE_BYTES);
        // In this order: a mapping may have millions of chunks without a page.
        if present >= DENSE_PAGES && within(&manifest.profile.dirty, start, end).is_empty() {
            found.push(chunk);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use offshoot_image::model::PageRange;
    use offshoot_image::sample::{self, HEAP};

    use super::*;

    const FIRST: u64 = HEAP / PAGE_BYTES;

    /// A heap of three chunks and a bit, of which clones write a page of the first.
    fn manifest() -> Manifest {
        let mut manifest = sample::manifest(3 * 512 + 100);
        manifest.profile.dirty = vec![PageRange {
            page: FIRST + 511,
            pages: 1,
        }];
        manifest
    }

    #[test]
    fn chunks_are_whole_dense_and_never_written() {
        let manifest = manifest();
        let mut heap = manifest.mappings[1].clone();
        assert_eq!(chunks(&manifest, &heap), [FIRST + 512, FIRST + 1024]);
        heap.runs[0].pages = 1024 + DENSE_PAGES as u32 - 1;
        assert_eq!(chunks(&manifest, &heap), [FIRST + 512]);
        heap.flags = MappingFlags(MappingFlags::NO_HUGE_PAGES);
        assert!(chunks(&manifest, &heap).is_empty());
    }
}
