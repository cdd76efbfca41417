//! Which pages are copied, and how they are grouped.
//!
//! Every run costs each template a mapping, so stretches that are nearly whole are copied whole: short gaps are filled,
//! and a read-only mapping of which most pages are there is taken altogether.

use std::os::fd::AsFd;

use offshoot_image::model::{Backing, Mapping, PAGE_BYTES, PageRange};
use offshoot_trace::{PageKinds, Region};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::space::may_vanish;

/// Gaps up to this many pages are filled.
pub(crate) const FILLED_GAP_PAGES: u64 = 4;

/// Whose pages they are: by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Mapping(usize),
    Content(usize),
}

/// Where the bytes of a piece are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the memory of the process.
    Memory,
    /// In a memory file: by its index.
    Content(usize),
    /// In a mapped file, by its index, from an offset in bytes on: no page of the piece was ever written.
    File { file: u32, offset: u64 },
}

/// Consecutive pages that are to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub owner: Owner,
    /// The first page: address, or offset in a content, divided by [`PAGE_BYTES`].
    pub page: u64,
    pub pages: u64,
    pub origin: Origin,
    /// Pages in between that are known to be zeros and must not be read: reading would make them.
    pub holes: Vec<PageRange>,
    /// Pages of a private file mapping that equal the file's.
    pub clean: Vec<PageRange>,
    /// Whether pages of zeros can be left out, because zeros are what comes back there.
    pub zeros_may_go: bool,
}

impl Piece {
    /// Whether it can be copied when the process runs again.
    pub(crate) fn can_wait(&self) -> bool {
        matches!(self.origin, Origin::File { .. })
    }

    fn end(&self) -> u64 {
        self.page.saturating_add(self.pages)
    }
}

/// What is copied of one mapping. `regions` are its pages, `file_end` the first page behind its file's end.
pub(crate) fn of_mapping(
    index: usize,
    mapping: &Mapping,
    regions: &[Region],
    file_end: u64,
) -> Vec<Piece> {
    if mapping.shared || may_vanish(mapping.flags) {
        return Vec::new();
    }
    let anonymous = mapping.backing == Backing::Anonymous;
    let of_file = matches!(mapping.backing, Backing::File { .. });
    let wanted = regions.iter().filter(|region| {
        let kinds = region.kinds;
        // The bytes of a content are stored with it: only the process's own copies of its pages are the mapping's.
        let own = of_file || !kinds.has(PageKinds::FILE);
        let zero = anonymous && kinds.has(PageKinds::ZERO);
        own && !zero && !kinds.has(PageKinds::GUARD)
    });
    let piece = |page, end: u64, origin| Piece {
        owner: Owner::Mapping(index),
        page,
        pages: end.saturating_sub(page),
        origin,
        holes: Vec::new(),
        clean: Vec::new(),
        zeros_may_go: anonymous,
    };
    let mut pieces: Vec<Piece> = Vec::new();
    let mut written: Vec<PageRange> = Vec::new();
    let mut present_pages = 0;
    for region in wanted {
        let (page, end) = (region.start / PAGE_BYTES, region.end / PAGE_BYTES);
        present_pages += end - page;
        let origin = origin(mapping, page, region.kinds);
        if origin == Origin::Memory {
            written.push(PageRange {
                page,
                pages: end - page,
            });
        }
        match pieces
            .last_mut()
            .filter(|last| joins(last.end(), page, &mapping.guards))
        {
            // The pages of a gap in a private mapping of a content come from there.
            Some(last) if page == last.end() || anonymous || of_file => {
                if anonymous && page > last.end() {
                    last.holes.push(PageRange {
                        page: last.end(),
                        pages: page - last.end(),
                    });
                }
                if origin == Origin::Memory {
                    last.origin = Origin::Memory;
                }
                last.pages = end - last.page;
            }
            _ => pieces.push(piece(page, end, origin)),
        }
    }
    let first = mapping.start / PAGE_BYTES;
    let read_only = mapping.protection.read() && !mapping.protection.write();
    let whole = of_file && read_only && mapping.guards.is_empty();
    if whole && present_pages > 0 && present_pages * 2 >= file_end.saturating_sub(first) {
        let end = pieces.last().map_or(file_end, Piece::end).max(file_end);
        let kinds = if written.is_empty() {
            PageKinds::FILE
        } else {
            PageKinds::PRESENT
        };
        pieces = vec![piece(first, end, origin(mapping, first, kinds))];
    }
    if of_file {
        for piece in &mut pieces {
            piece.clean = without(piece.page, piece.end(), &written);
        }
    }
    pieces
}

/// The pages from `page` to `end` that are not in `written`, which ascends.
fn without(page: u64, end: u64, written: &[PageRange]) -> Vec<PageRange> {
    let (mut page, mut rest) = (page, Vec::new());
    let first = written.partition_point(|range| range.page + range.pages <= page);
    for range in written.iter().skip(first) {
        let until = range.page.min(end);
        if page < until {
            rest.push(PageRange {
                page,
                pages: until - page,
            });
        }
        page = page.max(range.page + range.pages);
        if page >= end {
            return rest;
        }
    }
    rest.push(PageRange {
        page,
        pages: end - page,
    });
    rest
}

/// Where pages of a private mapping are, from `page` on.
fn origin(mapping: &Mapping, page: u64, kinds: PageKinds) -> Origin {
    match mapping.backing {
        Backing::File { file, offset } if kinds.has(PageKinds::FILE) => {
            let before = (page * PAGE_BYTES).saturating_sub(mapping.start);
            Origin::File {
                file,
                offset: offset.saturating_add(before),
            }
        }
        _ => Origin::Memory,
    }
}

/// What is copied of a content: its data, not its holes.
///
/// # Errors
/// The errors of `lseek(2)`.
pub(crate) fn of_content(index: usize, bytes: u64, reader: impl AsFd) -> Result<Vec<Piece>, Errno> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut from = 0;
    while from < bytes {
        let start = match seek(&reader, SeekFrom::Data(from)) {
            Ok(start) => start,
            // Nothing but a hole until the end.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error),
        };
        let end = seek(&reader, SeekFrom::Hole(start))?.min(bytes);
        if end <= start {
            break;
        }
        let (page, behind) = (start / PAGE_BYTES, end.div_ceil(PAGE_BYTES));
        match pieces.last_mut() {
            Some(last) if page <= last.end() + FILLED_GAP_PAGES => last.pages = behind - last.page,
            _ => pieces.push(Piece {
                owner: Owner::Content(index),
                page,
                pages: behind - page,
                origin: Origin::Content(index),
                holes: Vec::new(),
                clean: Vec::new(),
                zeros_may_go: true,
            }),
        }
        from = end;
    }
    Ok(pieces)
}

/// Whether two stretches are close enough to be one, with no guard between them.
fn joins(end: u64, page: u64, guards: &[PageRange]) -> bool {
    let guarded = guards
        .iter()
        .any(|guard| end <= guard.page && guard.page < page);
    page - end <= FILLED_GAP_PAGES && !guarded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use offshoot_image::model::{MappingFlags, Protection};

    fn mapping(backing: Backing, protection: u8, guards: Vec<PageRange>) -> Mapping {
        Mapping {
            start: 100 * PAGE_BYTES,
            end: 200 * PAGE_BYTES,
            protection: Protection(protection),
            backing,
            shared: false,
            flags: MappingFlags::default(),
            name: Vec::new(),
            runs: Vec::new(),
            guards,
        }
    }

    fn region(page: u64, end: u64, kinds: PageKinds) -> Region {
        Region {
            start: page * PAGE_BYTES,
            end: end * PAGE_BYTES,
            kinds,
        }
    }

    fn spans(pieces: &[Piece]) -> Vec<(u64, u64)> {
        pieces
            .iter()
            .map(|piece| (piece.page, piece.end()))
            .collect()
    }

    const FILE: Backing = Backing::File { file: 0, offset: 0 };

    #[test]
    fn short_gaps_of_anonymous_memory_are_holes_and_long_ones_part() {
        let found = of_mapping(
            0,
            &mapping(Backing::Anonymous, 3, Vec::new()),
            &[
                region(100, 102, PageKinds::PRESENT),
                region(106, 107, PageKinds::SWAPPED),
                region(112, 113, PageKinds::PRESENT),
            ],
            200,
        );
        assert_eq!(spans(&found), [(100, 107), (112, 113)]);
        assert_eq!(
            found[0].holes,
            [PageRange {
                page: 102,
                pages: 4
            }]
        );
    }

    #[test]
    fn guard_parts_what_is_close() {
        let guards = vec![PageRange {
            page: 103,
            pages: 1,
        }];
        let found = of_mapping(
            0,
            &mapping(Backing::Anonymous, 3, guards),
            &[
                region(100, 103, PageKinds::PRESENT),
                region(103, 104, PageKinds::GUARD),
                region(104, 105, PageKinds::PRESENT),
            ],
            200,
        );
        assert_eq!(spans(&found), [(100, 103), (104, 105)]);
    }

    #[test]
    fn mostly_present_read_only_file_is_taken_up_to_its_end() {
        let regions = [region(110, 150, PageKinds::PRESENT)];
        let read_only = mapping(FILE, Protection::READ, Vec::new());
        assert_eq!(
            spans(&of_mapping(0, &read_only, &regions, 180)),
            [(100, 180)]
        );
        assert_eq!(
            spans(&of_mapping(0, &read_only, &regions, 200)),
            [(110, 150)]
        );
        let writable = mapping(FILE, 3, Vec::new());
        assert_eq!(
            spans(&of_mapping(0, &writable, &regions, 180)),
            [(110, 150)]
        );
    }

    #[test]
    fn pages_of_a_file_are_clean_but_for_those_that_were_written() {
        let regions = [
            region(110, 112, PageKinds::FILE),
            region(112, 113, PageKinds::PRESENT),
            region(116, 118, PageKinds::SWAPPED),
            region(118, 119, PageKinds::FILE),
        ];
        let ranges = |pieces: &[Piece]| -> Vec<(u64, u64)> {
            let clean = pieces.iter().flat_map(|piece| &piece.clean);
            clean.map(|range| (range.page, range.pages)).collect()
        };
        let writable = of_mapping(0, &mapping(FILE, 3, Vec::new()), &regions, 180);
        assert_eq!(spans(&writable), [(110, 119)]);
        assert_eq!(ranges(&writable), [(110, 2), (113, 3), (118, 1)]);
        let read_only = mapping(FILE, Protection::READ, Vec::new());
        let whole = of_mapping(0, &read_only, &regions, 110);
        assert_eq!(spans(&whole), [(100, 119)]);
        assert_eq!(ranges(&whole), [(100, 12), (113, 3), (118, 1)]);
        let anonymous = mapping(Backing::Anonymous, 3, Vec::new());
        let found = of_mapping(0, &anonymous, &[region(110, 112, PageKinds::PRESENT)], 180);
        assert!(ranges(&found).is_empty());
    }

    #[test]
    fn droppable_and_wiped_memory_is_never_copied() {
        for flag in [MappingFlags::DROPPABLE, MappingFlags::WIPE_ON_FORK] {
            let mut mapping = mapping(Backing::Anonymous, 3, Vec::new());
            mapping.flags = MappingFlags(flag);
            assert!(
                of_mapping(0, &mapping, &[region(100, 200, PageKinds::PRESENT)], 200).is_empty()
            );
        }
    }

    #[test]
    fn holes_of_a_content_are_left_out() {
        use std::os::unix::fs::FileExt;
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.set_len(100 * PAGE_BYTES + 1).unwrap();
        for page in [3, 5, 50] {
            file.write_all_at(b"x", page * PAGE_BYTES).unwrap();
        }
        let found = of_content(7, 100 * PAGE_BYTES + 1, &file).unwrap();
        assert_eq!(spans(&found), [(3, 6), (50, 51)]);
        assert_eq!(found[0].owner, Owner::Content(7));
    }
}
