//! A copy of pages in our own memory: made while the process is frozen, used when it runs again.

use offshoot_image::model::{PAGE_BYTES, PageRange};
use offshoot_trace::{Buffer, Range};

use crate::CheckpointError;
use crate::pieces::{Origin, Owner, Piece};
use crate::sources::Sources;

/// How much is copied at once, in bytes. A larger process stays frozen while its first parts are written.
const WINDOW_BYTES: usize = 256 << 20;

/// Consecutive pages in the window.
#[derive(Debug)]
pub(crate) struct Part {
    pub owner: Owner,
    pub page: u64,
    /// Pages of a private file mapping that equal the file's.
    pub clean: Vec<PageRange>,
    pub zeros_may_go: bool,
    /// Where they begin in the window, and their length, in bytes.
    offset: usize,
    bytes: usize,
}

/// The window.
#[derive(Debug)]
pub(crate) struct Window {
    buffer: Buffer,
    parts: Vec<Part>,
    used: usize,
}

impl Window {
    /// Takes the memory, of which so much is made present now.
    pub(crate) fn new(pid: u32, expected_bytes: usize) -> Result<Self, CheckpointError> {
        let failed = |bytes| move |source| CheckpointError::Buffer { pid, bytes, source };
        let expected = expected_bytes.min(WINDOW_BYTES);
        let mut buffer = Buffer::new(WINDOW_BYTES).map_err(failed(WINDOW_BYTES))?;
        buffer
            .populate(expected.next_multiple_of(PAGE_BYTES as usize))
            .map_err(failed(expected))?;
        Ok(Self {
            buffer,
            parts: Vec::new(),
            used: 0,
        })
    }

    /// Copies pieces, in their order, until it is full or there are none left. What has been copied is taken out of
    /// `pieces`, which is reversed: the next one is the last.
    pub(crate) fn fill(
        &mut self,
        pieces: &mut Vec<Piece>,
        sources: &mut Sources,
    ) -> Result<(), CheckpointError> {
        let mut reading = Reading::default();
        while let Some(mut piece) = pieces.pop() {
            let room = ((self.buffer.len() - self.used) as u64) / PAGE_BYTES;
            if room == 0 {
                pieces.push(piece);
                break;
            }
            if piece.pages > room {
                pieces.push(split(&mut piece, room));
            }
            let bytes = usize::try_from(piece.pages * PAGE_BYTES).unwrap_or(usize::MAX);
            let offset = self.used;
            self.used += bytes;
            let into = offset..self.used;
            match piece.origin {
                Origin::Memory => self.read_memory(&piece, offset, sources, &mut reading)?,
                Origin::Content(content) => {
                    sources.read_content(content, piece.page, &mut self.buffer[into])?;
                }
                Origin::File { file, offset } => {
                    sources.read_file(file, offset, &mut self.buffer[into])?;
                }
            }
            let Piece {
                owner,
                page,
                clean,
                zeros_may_go,
                ..
            } = piece;
            self.parts.push(Part {
                owner,
                page,
                clean,
                zeros_may_go,
                offset,
                bytes,
            });
        }
        self.flush(sources, &mut reading)
    }

    /// Hands out everything in it, and is empty.
    pub(crate) fn drain<E>(
        &mut self,
        mut take: impl FnMut(&Part, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.used = 0;
        for part in std::mem::take(&mut self.parts) {
            take(&part, &self.buffer[part.offset..part.offset + part.bytes])?;
        }
        Ok(())
    }

    /// Notes what is to be read; holes become zeros.
    fn read_memory(
        &mut self,
        piece: &Piece,
        offset: usize,
        sources: &Sources,
        reading: &mut Reading,
    ) -> Result<(), CheckpointError> {
        let (mut page, mut at) = (piece.page, offset);
        if !reading.reaches(at) {
            self.flush(sources, reading)?;
        }
        for hole in &piece.holes {
            at += reading.note(page, hole.page, at);
            self.flush(sources, reading)?;
            let bytes = (hole.pages * PAGE_BYTES) as usize;
            self.buffer[at..at + bytes].fill(0);
            at += bytes;
            page = hole.page + hole.pages;
        }
        reading.note(page, piece.page + piece.pages, at);
        Ok(())
    }

    /// Reads what was noted.
    fn flush(&mut self, sources: &Sources, reading: &mut Reading) -> Result<(), CheckpointError> {
        let into = &mut self.buffer[reading.offset..reading.offset + reading.bytes];
        sources.read_memory(&reading.ranges, into)?;
        *reading = Reading::default();
        Ok(())
    }
}

/// Reads of the process's memory that lie one behind the other in the window.
#[derive(Debug, Default)]
struct Reading {
    ranges: Vec<Range>,
    offset: usize,
    bytes: usize,
}

impl Reading {
    /// Whether what is noted ends where the window's byte `at` is.
    fn reaches(&self, at: usize) -> bool {
        self.ranges.is_empty() || self.offset + self.bytes == at
    }

    /// Notes the pages from `page` to `end` for the window's byte `at`; how many bytes they are.
    fn note(&mut self, page: u64, end: u64, at: usize) -> usize {
        let bytes = (end - page) * PAGE_BYTES;
        if bytes == 0 {
            return 0;
        }
        if self.ranges.is_empty() {
            self.offset = at;
        }
        self.ranges.push(Range {
            start: page * PAGE_BYTES,
            bytes,
        });
        self.bytes += bytes as usize;
        bytes as usize
    }
}

/// Cuts a piece to its first pages; the rest.
fn split(piece: &mut Piece, pages: u64) -> Piece {
    let mut rest = piece.clone();
    let cut = piece.page + pages;
    rest.page = cut;
    rest.pages = piece.pages - pages;
    piece.pages = pages;
    if let Origin::File { offset, .. } = &mut rest.origin {
        *offset += pages * PAGE_BYTES;
    }
    for ranges in [&mut piece.holes, &mut piece.clean] {
        ranges.retain_mut(|range| {
            range.pages = range.pages.min(cut.saturating_sub(range.page));
            range.pages > 0
        });
    }
    for ranges in [&mut rest.holes, &mut rest.clean] {
        ranges.retain_mut(|range| {
            let end = range.page + range.pages;
            range.page = range.page.max(cut);
            range.pages = end.saturating_sub(range.page);
            range.pages > 0
        });
    }
    rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use offshoot_trace::Memory;

    #[test]
    fn own_memory_arrives_with_zeros_in_its_holes() {
        let pid = std::process::id();
        let mut source = Buffer::new(8 * 4096).unwrap();
        for (nth, page) in source.chunks_mut(4096).enumerate() {
            page.fill(nth as u8 + 1);
        }
        let page = source.as_ptr() as u64 / PAGE_BYTES;
        let piece = |page, pages, holes| Piece {
            owner: Owner::Mapping(0),
            page,
            pages,
            origin: Origin::Memory,
            holes,
            clean: Vec::new(),
            zeros_may_go: false,
        };
        let hole = PageRange {
            page: page + 2,
            pages: 3,
        };
        let mut pieces = vec![piece(page + 7, 1, Vec::new()), piece(page, 6, vec![hole])];
        let mut window = Window::new(pid, 0).unwrap();
        let memory = Memory::open(pid).unwrap();
        let mut sources = Sources::open(pid, memory, Vec::new(), Vec::new()).unwrap();
        window.fill(&mut pieces, &mut sources).unwrap();
        let mut found = Vec::new();
        window
            .drain(|part, bytes| {
                found.push((
                    part.page,
                    bytes.chunks(4096).map(|page| page[9]).collect::<Vec<_>>(),
                ));
                Ok::<(), ()>(())
            })
            .unwrap();
        assert_eq!(found, [(page, vec![1, 2, 0, 0, 0, 6]), (page + 7, vec![8])]);
    }

    #[test]
    fn split_piece_keeps_its_holes_apart() {
        let hole = PageRange { page: 12, pages: 4 };
        let mut piece = Piece {
            owner: Owner::Mapping(0),
            page: 10,
            pages: 10,
            origin: Origin::File {
                file: 0,
                offset: 4096,
            },
            holes: vec![hole],
            clean: vec![hole],
            zeros_may_go: true,
        };
        let rest = split(&mut piece, 4);
        assert_eq!(
            (piece.pages, &piece.holes[..]),
            (4, &[PageRange { page: 12, pages: 2 }][..])
        );
        assert_eq!((rest.page, rest.pages), (14, 6));
        assert_eq!(
            rest.origin,
            Origin::File {
                file: 0,
                offset: 5 * 4096
            }
        );
        assert_eq!(rest.holes, [PageRange { page: 14, pages: 2 }]);
        assert_eq!((piece.clean, rest.clean), (piece.holes, rest.holes));
    }
}
