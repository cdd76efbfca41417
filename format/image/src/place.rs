//! Where pages go in an image file.

use crate::header::FIRST_PAGE;
use crate::limits::MAX_FILE_PAGE;

/// Pages of a huge page, 2 MiB: runs at least this long keep their place within it.
pub const ALIGNMENT_PAGES: u64 = 512;

/// Gives each run its place, one behind the other, with a hole of at least one page between them: a mapping that the
/// program enlarges never shows the next run's bytes.
///
/// A run that contains a whole aligned huge page gets a place that is congruent to its address modulo 2 MiB, because
/// only then the kernel maps it with huge pages. Other runs are packed.
#[derive(Debug, Clone)]
pub struct Placement {
    next: u64,
}

impl Default for Placement {
    fn default() -> Self {
        Self { next: FIRST_PAGE }
    }
}

impl Placement {
    /// A placement for an empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// The file page for a run that begins at `page` (an address or offset divided by 4096). None if the file would pass
    /// its bound.
    pub fn place(&mut self, page: u64, pages: u32) -> Option<u64> {
        let file_page = if holds_huge_page(page, u64::from(pages)) {
            let behind = self.next % ALIGNMENT_PAGES;
            let wanted = page % ALIGNMENT_PAGES;
            self.next + (wanted + ALIGNMENT_PAGES - behind) % ALIGNMENT_PAGES
        } else {
            self.next
        };
        let end = file_page + u64::from(pages);
        if end > MAX_FILE_PAGE {
            return None;
        }
        self.next = end + 1;
        Some(file_page)
    }
}

fn holds_huge_page(page: u64, pages: u64) -> bool {
    match page.checked_next_multiple_of(ALIGNMENT_PAGES) {
        Some(first) => first - page + ALIGNMENT_PAGES <= pages,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_congruent_and_short_ones_packed() {
        let mut placement = Placement::new();
        assert_eq!(placement.place(77, 3), Some(512));
        assert_eq!(placement.place(1024 + 5, 1100), Some(512 + 5));
        assert_eq!(placement.place(1, 1), Some(1618));
        assert_eq!(placement.place(0, 512), Some(2048));
        assert_eq!(placement.place(u64::MAX, 600), Some(2561));
    }

    #[test]
    fn file_stays_within_its_bound() {
        let mut placement = Placement::new();
        assert_eq!(placement.place(0, u32::MAX), None);
        assert_eq!(placement.place(0, 1), Some(512));
    }
}
