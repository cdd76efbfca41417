//! Ranges of pages.

use offshoot_image::model::{PAGE_BYTES, PageRange};

/// The parts of ranges that lie within addresses.
pub(super) fn within(ranges: &[PageRange], start: u64, end: u64) -> Vec<PageRange> {
    let (first, last) = (start / PAGE_BYTES, end / PAGE_BYTES);
    let from = ranges.partition_point(|range| range.page + range.pages <= first);
    ranges[from..]
        .iter()
        .take_while(|range| range.page < last)
        .map(|range| {
            let page = range.page.max(first);
            PageRange {
                page,
                pages: (range.page + range.pages).min(last) - page,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(page: u64, pages: u64) -> PageRange {
        PageRange { page, pages }
    }

    #[test]
    fn ranges_are_cut_at_the_edges() {
        let ranges = [range(1, 2), range(5, 4), range(20, 1)];
        let found = within(&ranges, 2 * PAGE_BYTES, 6 * PAGE_BYTES);
        assert_eq!(found, [range(2, 1), range(5, 1)]);
        assert!(within(&ranges, 10 * PAGE_BYTES, 20 * PAGE_BYTES).is_empty());
    }
}
