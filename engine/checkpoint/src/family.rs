//! The parent image and its ancestors: pages that are there already.

use offshoot_image::ImageId;
use offshoot_image::limits::MAX_GENERATION;
use offshoot_image::model::{PAGE_BYTES, Run};
use offshoot_pool::{ImageName, OpenError, OpenImage, Pool};

use crate::CheckpointError;

/// How many pages are compared at once.
const BATCH_PAGES: u64 = 64;

/// An image's ancestors, the parent first.
#[derive(Debug)]
pub(crate) struct Family {
    name: ImageName,
    images: Vec<OpenImage>,
    /// All runs of the parent's mappings by address, in the generations of the new image.
    runs: Vec<Run>,
}

impl Family {
    /// Opens a parent and what it refers to.
    pub(crate) fn open(pool: &Pool, name: &ImageName) -> Result<Self, CheckpointError> {
        let lineage = pool
            .open_lineage(name)
            .map_err(|source| unusable(name, source))?;
        let runs = lineage
            .manifest
            .mappings
            .iter()
            .flat_map(|mapping| &mapping.runs);
        let runs = runs
            .map(|run| Run {
                generation: run.generation.saturating_add(1),
                ..*run
            })
            .filter(|run| run.generation <= MAX_GENERATION)
            .collect();
        let mut images = vec![lineage.image];
        images.extend(lineage.ancestors);
        Ok(Self {
            name: name.clone(),
            images,
            runs,
        })
    }

    /// The parent.
    pub(crate) fn id(&self) -> Option<ImageId> {
        self.images.first().map(OpenImage::id)
    }

    /// Tells for each page, from `page` on, where an ancestor has the same bytes: `found` is called with the page's
    /// index, the generation and the page of that file.
    pub(crate) fn find_equal(
        &self,
        page: u64,
        bytes: &[u8],
        mut found: impl FnMut(usize, u8, u64),
    ) -> Result<(), CheckpointError> {
        let end = page + bytes.len() as u64 / PAGE_BYTES;
        let first = self.runs.partition_point(|run| run.end() <= page);
        let mut theirs = vec![0; (BATCH_PAGES * PAGE_BYTES) as usize];
        for run in self
            .runs
            .iter()
            .skip(first)
            .take_while(|run| run.page < end)
        {
            let Some(image) = self.images.get(usize::from(run.generation) - 1) else {
                continue;
            };
            let (mut at, stop) = (run.page.max(page), run.end().min(end));
            while at < stop {
                let pages = (stop - at).min(BATCH_PAGES);
                let theirs = &mut theirs[..(pages * PAGE_BYTES) as usize];
                let file_page = run.file_page + (at - run.page);
                image
                    .read_pages_at(file_page, theirs)
                    .map_err(|source| unusable(&self.name, source))?;
                let index = (at - page) as usize;
                let (ours, theirs) = (pages_of(bytes).skip(index), pages_of(theirs));
                for (nth, (ours, theirs)) in ours.zip(theirs).enumerate() {
                    if ours == theirs {
                        found(index + nth, run.generation, file_page + nth as u64);
                    }
                }
                at += pages;
            }
        }
        Ok(())
    }
}

fn pages_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks_exact(PAGE_BYTES as usize)
}

fn unusable(name: &ImageName, source: OpenError) -> CheckpointError {
    CheckpointError::Parent {
        name: name.as_str().to_owned(),
        source: Box::new(source),
    }
}
