//! How templates were made, so that the next one of an image that has not changed is made without reading it.
//!
//! An image is checked page by page, and compiled, when the first template is made of it. What came of that, its recipe, is
//! kept for as long as the files of the image and of those that it is a difference to stay what they were.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use offshoot_clone::{Memory, Recipe};
use offshoot_pool::{ImageName, OpenError, OpenImage, Pool, Stamp};

use crate::seed::About;

/// How many are kept: each is two descriptors, and the memory of a plan (40 and 77 KB of a small function).
const MOST: usize = 256;

/// The recipes of images.
#[derive(Debug, Default)]
pub(crate) struct Recipes {
    kept: HashMap<(ImageName, Memory), Kept>,
    /// Counts what is kept and found.
    uses: u64,
}

#[derive(Debug)]
struct Kept {
    files: Files,
    known: Known,
    used: u64,
}

/// What was known of an image when it was read.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) recipe: Arc<Recipe>,
    pub(crate) about: About,
}

/// The files of an image, and of those that it is a difference to, in the order of a chain.
#[derive(Debug)]
pub(crate) struct Files(Vec<(ImageName, Stamp)>);

impl Files {
    /// To be asked before what is in them is checked.
    pub(crate) fn of(chain: &[OpenImage]) -> Result<Self, OpenError> {
        let stamped = chain
            .iter()
            .map(|image| Ok((image.name().clone(), image.stamp()?)));
        stamped.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn each(&self) -> &[(ImageName, Stamp)] {
        &self.0
    }

    /// Whether they still are what they were.
    pub(crate) fn are_unchanged(&self, pool: &Pool) -> bool {
        self.open(pool).is_some()
    }

    fn open(&self, pool: &Pool) -> Option<Vec<OwnedFd>> {
        let files = self.0.iter();
        files
            .map(|(name, stamp)| pool.open_unchanged(name, stamp))
            .collect()
    }
}

impl Recipes {
    /// The files of an image, opened, and what is known of it; none if something has changed.
    pub(crate) fn find(
        &mut self,
        pool: &Pool,
        name: &ImageName,
        memory: Memory,
    ) -> Option<(Vec<OwnedFd>, Known)> {
        let key = (name.clone(), memory);
        let kept = self.kept.get_mut(&key)?;
        let Some(files) = kept.files.open(pool) else {
            self.kept.remove(&key);
            return None;
        };
        self.uses += 1;
        kept.used = self.uses;
        Some((files, kept.known.clone()))
    }

    /// Keeps how a template was made, instead of what was used least lately if there are many.
    pub(crate) fn keep(&mut self, name: ImageName, memory: Memory, files: Files, known: Known) {
        self.uses += 1;
        let kept = Kept {
            files,
            known,
            used: self.uses,
        };
        self.kept.insert((name, memory), kept);
        if self.kept.len() > MOST {
            let kept = self.kept.iter();
            let oldest = kept.min_by_key(|(_, kept)| kept.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.kept.remove(&oldest);
            }
        }
    }

    /// The image has gone, or there is a better one.
    pub(crate) fn forget(&mut self, name: &ImageName) {
        self.kept.retain(|(kept, _), _| kept != name);
    }
}
