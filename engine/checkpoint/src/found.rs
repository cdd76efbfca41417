//! Mappings on their way into the manifest, with their pages.

use offshoot_image::model::{Backing, Mapping, PAGE_BYTES, PageRange};
use offshoot_trace::{PageKinds, Region};

use crate::images::Behind;
use crate::smaps::Area;

/// A mapping, and what is known of its pages.
pub(crate) struct Found {
    pub mapping: Mapping,
    pub regions: Vec<Region>,
    /// Whether it is mapped from an image, which parts what was one mapping.
    pub of_image: bool,
}

impl Found {
    /// Whether another is what follows it in one mapping.
    pub(crate) fn continues(&self, next: &Self) -> bool {
        let (here, there) = (&self.mapping, &next.mapping);
        let backing = match (here.backing, there.backing) {
            (Backing::Anonymous, Backing::Anonymous) => true,
            (
                Backing::File { file, offset },
                Backing::File {
                    file: next,
                    offset: next_offset,
                },
            ) => file == next && offset + here.bytes() == next_offset,
            _ => false,
        };
        (self.of_image || next.of_image)
            && here.end == there.start
            && backing
            && (here.protection, here.shared, here.flags)
                == (there.protection, there.shared, there.flags)
            && here.name == there.name
    }

    /// Takes what follows.
    pub(crate) fn join(&mut self, next: Self) {
        self.mapping.end = next.mapping.end;
        self.mapping.guards.extend(next.mapping.guards);
        self.regions.extend(next.regions);
        self.of_image |= next.of_image;
    }
}

/// The pages of an area that is mapped from an image: all of them are the process's own but for guards, and for clean
/// ones that it has not written.
pub(crate) fn with_image(area: &Area, behind: &Behind<'_>, regions: &[Region]) -> Vec<Region> {
    let mut own: Vec<Region> = Vec::new();
    let mut push = |start: u64, end: u64, kinds: PageKinds| match own.last_mut() {
        Some(last) if last.end == start && last.kinds == kinds => last.end = end,
        _ if start < end => own.push(Region { start, end, kinds }),
        _ => {}
    };
    let mut fill = |start: u64, end: u64| {
        let mut at = start;
        for guard in clip(regions, start, end)
            .iter()
            .filter(|region| region.kinds.has(PageKinds::GUARD))
        {
            push(at, guard.start, PageKinds::PRESENT);
            push(guard.start, guard.end, guard.kinds);
            at = guard.end;
        }
        push(at, end, PageKinds::PRESENT);
    };
    let mut at = area.start;
    let mut clean = Vec::new();
    for range in &behind.clean {
        let (start, end) = (
            range.page * PAGE_BYTES,
            (range.page + range.pages) * PAGE_BYTES,
        );
        fill(at, start);
        clean.extend(clip(regions, start, end));
        at = end;
    }
    fill(at, area.end);
    own.extend(clean);
    own.sort_unstable_by_key(|region| region.start);
    own
}

/// The guard pages among regions.
pub(crate) fn guards(regions: &[Region]) -> Vec<PageRange> {
    let mut guards: Vec<PageRange> = Vec::new();
    for region in regions
        .iter()
        .filter(|region| region.kinds.has(PageKinds::GUARD))
    {
        let (page, pages) = (
            region.start / PAGE_BYTES,
            (region.end - region.start) / PAGE_BYTES,
        );
        match guards.last_mut() {
            Some(last) if last.page + last.pages == page => last.pages += pages,
            _ => guards.push(PageRange { page, pages }),
        }
    }
    guards
}

/// The parts of regions between two addresses.
pub(crate) fn clip(regions: &[Region], start: u64, end: u64) -> Vec<Region> {
    let first = regions.partition_point(|region| region.end <= start);
    let inside = regions
        .iter()
        .skip(first)
        .take_while(|region| region.start < end);
    inside
        .map(|region| Region {
            start: region.start.max(start),
            end: region.end.min(end),
            kinds: region.kinds,
        })
        .collect()
}
