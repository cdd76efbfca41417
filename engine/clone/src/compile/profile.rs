//! What is known of clones' needs becomes page tables that are ready.
//!
//! `fork` copies the page table entries of a mapping only if it has private pages (`vma_needs_copy` in the kernel's
//! `mm/memory.c`): entries of file pages can be faulted again. So the hot pages of read-only memory are brought into the
//! template, and one page of each such mapping is made private; then every clone is born with the entries, instead of
//! taking a fault for each.

use offshoot_image::model::{Backing, Manifest, Mapping, PAGE_BYTES, PageRange, Protection};
use offshoot_plan::{Op, fd};

use super::builder::{Builder, PlanFile};
use super::memory::{Piece, pieces, taken};
use super::numbers as sys;
use super::ranges::within;
use crate::Memory;

const MADV_DONTNEED: u64 = 4;
const MADV_POPULATE_READ: u64 = 22;
const MADV_POPULATE_WRITE: u64 = 23;
/// Fewer hot pages than this are faulted faster than a private page costs.
const LEAST_HOT_PAGES: u64 = 2;
/// 64 KiB, the kernel's `fault_around_bytes`: where it is less, nothing is there to be dropped; where it is more, some stays.
const AROUND_PAGES: u64 = 16;
const SYS_USERFAULTFD: i64 = 323;
/// Without it, a process without rights may have none (`vm.unprivileged_userfaultfd`). No page is ever protected by it, so
/// there are no faults to handle, the kernel's neither.
const UFFD_USER_MODE_ONLY: u64 = 1;
const SYS_IOCTL: i64 = 16;
const UFFDIO_API: u64 = 0xc018_aa3f;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
const UFFD_API: u64 = 0xaa;
/// `UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC` (Linux 6.7).
const UFFD_FEATURES: u64 = 1 << 13 | 1 << 15;
const UFFDIO_REGISTER_MODE_WP: u64 = 2;

/// Adds what the profile is good for.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest, memory: Memory) {
    for mapping in manifest.mappings.iter().filter(|mapping| !mapping.shared) {
        let memory = super::traps::of_mapping(manifest, mapping, memory);
        if mapping.protection.write() {
            for range in within(&manifest.profile.dirty, mapping.start, mapping.end) {
                let advise = [
                    range.page * PAGE_BYTES,
                    range.pages * PAGE_BYTES,
                    MADV_POPULATE_WRITE,
                    0,
                    0,
                    0,
                ];
                builder
                    .prefault
                    .push(Op::new(sys::MADVISE, advise).anything());
            }
        }
        if memory == Memory::Mapped || !mapping.protection.write() {
            warm(builder, manifest, mapping, memory);
        }
    }
    watch(builder, manifest);
}

/// Brings the hot pages of each piece in, and makes one of them private.
fn warm(builder: &mut Builder, manifest: &Manifest, mapping: &Mapping, memory: Memory) {
    if !mapping.protection.read() || manifest.profile.accessed.is_empty() {
        return;
    }
    for piece in pieces(mapping, memory) {
        let hot = within(&manifest.profile.accessed, piece.start, piece.end);
        let count: u64 = hot.iter().map(|range| range.pages).sum();
        let Some(first) = hot.first().filter(|_| count >= LEAST_HOT_PAGES) else {
            continue;
        };
        for range in &hot {
            let (address, bytes) = (range.page * PAGE_BYTES, range.pages * PAGE_BYTES);
            let advise = [address, bytes, MADV_POPULATE_READ, 0, 0, 0];
            builder
                .template
                .push(Op::new(sys::MADVISE, advise).anything());
        }
        let copied = copied(mapping, memory, &piece);
        if piece.run.is_none() {
            for range in around(&hot, &copied, &piece) {
                let (address, bytes) = (range.page * PAGE_BYTES, range.pages * PAGE_BYTES);
                let advise = [address, bytes, MADV_DONTNEED, 0, 0, 0];
                builder
                    .template
                    .push(Op::new(sys::MADVISE, advise).anything());
            }
        }
        // A page that was copied is private already.
        if copied.is_empty() {
            make_private(builder, mapping, &piece, first.page * PAGE_BYTES);
        }
    }
}

/// The pages of a piece that were copied from the image.
fn copied(mapping: &Mapping, memory: Memory, piece: &Piece) -> Vec<PageRange> {
    let runs = taken(mapping, memory).filter(|_| piece.run.is_none());
    let ranges: Vec<_> = runs
        .map(|run| PageRange {
            page: run.page,
            pages: run.pages.into(),
        })
        .collect();
    within(&ranges, piece.start, piece.end)
}

/// What the kernel has brought in around hot pages of a file, because it was there (`fault_around_bytes`), and what each
/// `fork` would copy the entries of. Not what was copied: dropped, that would be the file's again.
fn around(hot: &[PageRange], copied: &[PageRange], piece: &Piece) -> Vec<PageRange> {
    let (first, last) = (piece.start / PAGE_BYTES, piece.end / PAGE_BYTES);
    let mut kept = [hot, copied].concat();
    kept.sort_by_key(|range| range.page);
    let mut kept = kept.into_iter().peekable();
    let mut dropped = Vec::new();
    let mut at = first;
    for range in hot {
        let end = range.page + range.pages;
        let window = range.page / AROUND_PAGES * AROUND_PAGES;
        let window_end = end.next_multiple_of(AROUND_PAGES).min(last);
        at = at.max(window);
        while let Some(kept) = kept.next_if(|kept| kept.page < window_end) {
            if kept.page > at {
                dropped.push(PageRange {
                    page: at,
                    pages: kept.page - at,
                });
            }
            at = at.max(kept.page + kept.pages);
        }
        if at < window_end {
            dropped.push(PageRange {
                page: at,
                pages: window_end - at,
            });
            at = window_end;
        }
    }
    dropped
}

/// Writes a few bytes of a page over themselves.
fn make_private(builder: &mut Builder, mapping: &Mapping, piece: &Piece, address: u64) {
    let (file, offset) = match (piece.run, mapping.backing) {
        (Some(run), _) => {
            let image = builder.file(PlanFile::Image(run.generation));
            (
                image,
                run.file_page * PAGE_BYTES + (address - run.page * PAGE_BYTES),
            )
        }
        (None, Backing::File { file, offset }) => {
            let file = builder.file(PlanFile::Named(file));
            (file, offset + (address - mapping.start))
        }
        (None, _) => return,
    };
    let len = piece.end - piece.start;
    let bits = u64::from(mapping.protection.0);
    let writable = bits | u64::from(Protection::WRITE);
    let protect = |bits: u64| Op::new(sys::MPROTECT, [piece.start, len, bits, 0, 0, 0]);
    if bits != writable {
        builder.template.push(protect(writable));
    }
    // Nothing is read behind the end of a file; then the page stays shared, which only costs time.
    let read = [file, address, 8, offset, 0, 0];
    builder
        .template
        .push(Op::new(sys::PREAD64, read).anything());
    if bits != writable {
        builder.template.push(protect(bits));
    }
}

/// For a clone that is watched: registered for write protection, a mapping has no faults of several pages at once
/// (`uffd_disable_fault_around`), so that what is present afterwards is what was touched.
fn watch(builder: &mut Builder, manifest: &Manifest) {
    let number = builder.fd_base() + fd::WATCHER;
    let api = builder.put_words(&[UFFD_API, UFFD_FEATURES, 0]);
    let own = u64::from(number);
    let flags = sys::O_CLOEXEC | UFFD_USER_MODE_ONLY;
    let open = Op::new(SYS_USERFAULTFD, [flags, 0, 0, 0, 0, 0]);
    builder.watch.push(open.descriptor(number, true));
    builder
        .watch
        .push(Op::new(SYS_IOCTL, [own, UFFDIO_API, api, 0, 0, 0]));
    let read_only = |mapping: &&Mapping| !mapping.shared && mapping.protection.read();
    for mapping in manifest.mappings.iter().filter(read_only) {
        let len = mapping.end - mapping.start;
        let register = builder.put_words(&[mapping.start, len, UFFDIO_REGISTER_MODE_WP, 0]);
        let op = Op::new(SYS_IOCTL, [own, UFFDIO_REGISTER, register, 0, 0, 0]);
        builder.watch.push(op.anything());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(page: u64, pages: u64) -> PageRange {
        PageRange { page, pages }
    }

    #[test]
    fn what_came_along_is_dropped_and_what_was_copied_is_not() {
        let piece = Piece {
            start: 4 * PAGE_BYTES,
            end: 70 * PAGE_BYTES,
            run: None,
        };
        let found = around(
            &[range(10, 2), range(13, 1), range(33, 1)],
            &[range(6, 1), range(35, 30)],
            &piece,
        );
        let wanted = [
            range(4, 2),
            range(7, 3),
            range(12, 1),
            range(14, 2),
            range(32, 1),
            range(34, 1),
        ];
        assert_eq!(found, wanted);
        assert!(around(&[range(16, 16)], &[], &piece).is_empty());
    }
}
