//! Pages into the image file: what is zero or in the parent already is not written.

use std::collections::BTreeMap;

use offshoot_image::Placement;
use offshoot_image::model::{PAGE_BYTES, PageRange, Run};
use offshoot_pool::{ImageName, NewImage, WriteError};

use crate::CheckpointError;
use crate::family::Family;
use crate::pieces::{FILLED_GAP_PAGES, Owner};
use crate::window::Part;

/// The shortest stretch for which the parent's pages are used where each is a mapping of its own: that costs a template more
/// than a copy of so few pages costs the pool.
const SHORTEST_MAPPED_PAGES: usize = 16;
/// The shortest one where each is copied: one read more, of a microsecond.
const SHORTEST_COPIED_PAGES: usize = 2;
const PAGE: usize = PAGE_BYTES as usize;

/// Writes pages and notes where they went.
#[derive(Debug)]
pub(crate) struct Store<'a> {
    pid: u32,
    image: &'a NewImage,
    family: Option<&'a Family>,
    shortest_shared: usize,
    placement: Placement,
    runs: BTreeMap<Owner, Vec<Run>>,
    /// Pages written to this image.
    pub stored_pages: u64,
    /// Pages that an ancestor has.
    pub shared_pages: u64,
}

/// Where a page's bytes can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Only here.
    New,
    /// Everywhere: it is zeros, and zeros are what comes back.
    Zero,
    /// In an ancestor's file.
    Ancestor { generation: u8, file_page: u64 },
}

/// Consecutive pages that can be had alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    /// The first page's index, and its source.
    first: usize,
    pages: usize,
    source: Source,
}

impl<'a> Store<'a> {
    pub(crate) fn new(
        pid: u32,
        image: &'a NewImage,
        family: Option<&'a Family>,
        for_mapping: bool,
    ) -> Self {
        Self {
            pid,
            image,
            family,
            shortest_shared: if for_mapping {
                SHORTEST_MAPPED_PAGES
            } else {
                SHORTEST_COPIED_PAGES
            },
            placement: Placement::new(),
            runs: BTreeMap::new(),
            stored_pages: 0,
            shared_pages: 0,
        }
    }

    /// Takes a part of the window.
    pub(crate) fn put(&mut self, part: &Part, bytes: &[u8]) -> Result<(), CheckpointError> {
        let mut sources = vec![Source::New; bytes.len() / PAGE];
        if let (Some(family), Owner::Mapping(_)) = (self.family, part.owner) {
            family.find_equal(part.page, bytes, |index, generation, file_page| {
                sources[index] = Source::Ancestor {
                    generation,
                    file_page,
                };
            })?;
        }
        if part.zeros_may_go {
            for (source, page) in sources.iter_mut().zip(bytes.chunks_exact(PAGE)) {
                if *page == [0; PAGE] {
                    *source = Source::Zero;
                }
            }
        }
        for stretch in smooth(&stretches(&sources), self.shortest_shared) {
            self.put_stretch(part, stretch, bytes)?;
        }
        Ok(())
    }

    /// The runs of a mapping or content, ascending.
    pub(crate) fn take_runs(&mut self, owner: Owner) -> Vec<Run> {
        let mut runs = self.runs.remove(&owner).unwrap_or_default();
        // What could wait was put behind what could not.
        runs.sort_unstable_by_key(|run| run.page);
        runs
    }

    fn put_stretch(
        &mut self,
        part: &Part,
        stretch: Stretch,
        bytes: &[u8],
    ) -> Result<(), CheckpointError> {
        let page = part.page + stretch.first as u64;
        let pages = u32::try_from(stretch.pages).unwrap_or(u32::MAX);
        let (generation, file_page) = match stretch.source {
            Source::Zero => return Ok(()),
            Source::Ancestor {
                generation,
                file_page,
            } => {
                self.shared_pages += u64::from(pages);
                (generation, file_page)
            }
            Source::New => {
                let pid = self.pid;
                let place = self.placement.place(page, pages);
                let file_page = place.ok_or(CheckpointError::TooLarge { pid })?;
                let bytes = &bytes[stretch.first * PAGE..][..stretch.pages * PAGE];
                self.image
                    .write_pages_at(file_page, bytes)
                    .map_err(|source| refused(self.image.name(), source))?;
                self.stored_pages += u64::from(pages);
                (0, file_page)
            }
        };
        let run = Run {
            page,
            pages,
            file_page,
            generation,
            clean: false,
        };
        let runs = self.runs.entry(part.owner).or_default();
        for run in parted(run, &part.clean) {
            match runs.last_mut().filter(|last| continues_run(last, &run)) {
                Some(last) => last.pages = last.pages.saturating_add(run.pages),
                None => runs.push(run),
            }
        }
        Ok(())
    }
}

/// A run, parted where its pages begin or cease to be clean.
fn parted(run: Run, clean: &[PageRange]) -> Vec<Run> {
    let mut parts = Vec::new();
    let mut page = run.page;
    let mut push = |page: u64, end: u64, clean| {
        let pages = u32::try_from(end.saturating_sub(page)).unwrap_or(u32::MAX);
        if pages > 0 {
            parts.push(Run {
                page,
                pages,
                file_page: run.file_page + (page - run.page),
                clean,
                ..run
            });
        }
    };
    let first = clean.partition_point(|range| range.page + range.pages <= page);
    for range in clean
        .iter()
        .skip(first)
        .take_while(|range| range.page < run.end())
    {
        let start = range.page.max(page);
        push(page, start, false);
        page = (range.page + range.pages).min(run.end());
        push(start, page, true);
    }
    push(page, run.end(), false);
    parts
}

fn continues_run(run: &Run, next: &Run) -> bool {
    run.end() == next.page
        && (run.generation, run.clean) == (next.generation, next.clean)
        && run.file_page + u64::from(run.pages) == next.file_page
}

/// The pool's refusal of an image.
pub(crate) fn refused(name: &ImageName, source: WriteError) -> CheckpointError {
    CheckpointError::Pool {
        name: name.as_str().to_owned(),
        source: Box::new(source),
    }
}

fn stretches(sources: &[Source]) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        match found.last_mut() {
            Some(last) if continues(last, *source) => last.pages += 1,
            _ => found.push(Stretch {
                first: index,
                pages: 1,
                source: *source,
            }),
        }
    }
    found
}

fn continues(stretch: &Stretch, source: Source) -> bool {
    match (stretch.source, source) {
        (
            Source::Ancestor {
                generation,
                file_page,
            },
            Source::Ancestor {
                generation: next,
                file_page: next_page,
            },
        ) => generation == next && file_page + stretch.pages as u64 == next_page,
        (here, next) => here == next,
    }
}

/// Makes stretches new that are too short to part others; of an ancestor's pages, those shorter than `shortest_shared`.
fn smooth(stretches: &[Stretch], shortest_shared: usize) -> Vec<Stretch> {
    let short_of_ancestor = |stretch: &Stretch, before: bool, behind: bool| {
        matches!(stretch.source, Source::Ancestor { .. })
            && stretch.pages < shortest_shared
            && (before || behind)
    };
    let short_of_zero = |stretch: &Stretch, before: bool, behind: bool| {
        stretch.source == Source::Zero
            && stretch.pages as u64 <= FILLED_GAP_PAGES
            && before
            && behind
    };
    renew(&renew(stretches, short_of_ancestor), short_of_zero)
}

/// Makes stretches new of which `short` says so, given whether their neighbours are new, and joins the new ones.
fn renew(stretches: &[Stretch], short: impl Fn(&Stretch, bool, bool) -> bool) -> Vec<Stretch> {
    let is_new = |index: Option<usize>| {
        let neighbour = index.and_then(|index| stretches.get(index));
        neighbour.is_some_and(|stretch| stretch.source == Source::New)
    };
    let mut joined: Vec<Stretch> = Vec::new();
    for (index, stretch) in stretches.iter().enumerate() {
        let mut stretch = *stretch;
        if short(
            &stretch,
            is_new(index.checked_sub(1)),
            is_new(index.checked_add(1)),
        ) {
            stretch.source = Source::New;
        }
        match joined.last_mut() {
            Some(last) if last.source == Source::New && stretch.source == Source::New => {
                last.pages += stretch.pages;
            }
            _ => joined.push(stretch),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Source = Source::New;
    const ZERO: Source = Source::Zero;

    fn ancestor(file_page: u64) -> Source {
        Source::Ancestor {
            generation: 1,
            file_page,
        }
    }

    fn smoothed(parts: &[(usize, Source)]) -> Vec<(usize, Source)> {
        let sources: Vec<Source> = parts
            .iter()
            .flat_map(|(pages, source)| {
                (0..*pages as u64).map(|nth| match *source {
                    Source::Ancestor {
                        generation,
                        file_page,
                    } => Source::Ancestor {
                        generation,
                        file_page: file_page + nth,
                    },
                    other => other,
                })
            })
            .collect();
        smooth(&stretches(&sources), SHORTEST_MAPPED_PAGES)
            .iter()
            .map(|stretch| (stretch.pages, stretch.source))
            .collect()
    }

    #[test]
    fn few_zeros_between_data_are_stored_and_many_are_not() {
        assert_eq!(smoothed(&[(1, NEW), (4, ZERO), (1, NEW)]), [(6, NEW)]);
        let kept = [(1, NEW), (5, ZERO), (1, NEW)];
        assert_eq!(smoothed(&kept), kept);
        assert_eq!(
            smoothed(&[(2, ZERO), (1, NEW), (1, ZERO)]),
            [(2, ZERO), (1, NEW), (1, ZERO)]
        );
    }

    #[test]
    fn short_stretches_of_the_parent_are_stored_again_beside_new_pages() {
        assert_eq!(
            smoothed(&[(1, NEW), (15, ancestor(600)), (1, NEW)]),
            [(17, NEW)]
        );
        let kept = [(1, NEW), (16, ancestor(600)), (1, NEW)];
        assert_eq!(smoothed(&kept), kept);
        assert_eq!(smoothed(&[(3, ancestor(600))]), [(3, ancestor(600))]);
    }

    #[test]
    fn run_is_parted_where_its_pages_are_clean() {
        let run = Run {
            page: 100,
            pages: 10,
            file_page: 600,
            generation: 0,
            clean: false,
        };
        let range = |page, pages| PageRange { page, pages };
        let parts = |clean: &[PageRange]| -> Vec<(u64, u32, u64, bool)> {
            let parts = parted(run, clean).into_iter();
            parts
                .map(|run| (run.page, run.pages, run.file_page, run.clean))
                .collect()
        };
        assert_eq!(parts(&[]), [(100, 10, 600, false)]);
        assert_eq!(parts(&[range(90, 40)]), [(100, 10, 600, true)]);
        assert_eq!(
            parts(&[range(90, 12), range(105, 1), range(120, 5)]),
            [
                (100, 2, 600, true),
                (102, 3, 602, false),
                (105, 1, 605, true),
                (106, 4, 606, false)
            ]
        );
    }

    #[test]
    fn parents_pages_from_two_places_are_two_stretches() {
        let kept = [(20, ancestor(600)), (20, ancestor(900))];
        assert_eq!(smoothed(&kept), kept);
    }
}
