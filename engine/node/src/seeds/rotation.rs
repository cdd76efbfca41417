//! A runtime's seed is made anew, as its clones share one layout of memory.
//!
//! 1. [`renew`] makes the new image beside the old one, under a name that counts. The old template serves until the new one is
//!    there, and goes on serving if that fails.
//! 2. Images of versions' seeds may be differences to the old image: it is *superseded*, and goes with the last of them. Who
//!    freezes another difference to it at that moment holds it ([`Seeds::parent_of`]).
//! 3. At the start of a daemon the newest image of a runtime is its seed, and all others are superseded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use offshoot_seed::ImageName;
use tokio::sync::{RwLock, RwLockReadGuard};

use super::make::{Seeding, try_make};
use super::{Seeds, State, Version, chain, lock, name, runtime};
use crate::instance::Instance;
use crate::{CreateFailure, InstanceSpec, Node, NodeError};

/// Images of runtimes' seeds that have a successor.
#[derive(Debug, Default)]
pub(super) struct Superseded {
    images: Mutex<BTreeSet<ImageName>>,
    /// Read by who makes a difference to one, written by who removes them.
    uses: RwLock<()>,
}

impl Superseded {
    pub(super) fn add(&self, image: ImageName) {
        lock(&self.images).insert(image);
    }
}

/// The newest image of each runtime, by the runtime's name.
pub(super) fn newest<'a>(
    images: impl Iterator<Item = &'a ImageName>,
) -> BTreeMap<ImageName, ImageName> {
    let mut newest: BTreeMap<ImageName, (u64, ImageName)> = BTreeMap::new();
    for image in images {
        if let Some((runtime, rotation)) = name::rotation(image) {
            let found = newest.entry(runtime).or_insert((rotation, image.clone()));
            if rotation > found.0 {
                *found = (rotation, image.clone());
            }
        }
    }
    let images = newest.into_iter();
    images
        .map(|(runtime, (_, image))| (runtime, image))
        .collect()
}

/// Makes the seed of a function's runtime anew; one that is not there is made as at first.
///
/// # Errors
/// Why it failed: the old one goes on.
pub(crate) async fn renew(
    node: &Node,
    seeds: &Seeds,
    spec: Arc<InstanceSpec>,
) -> Result<Seeding, CreateFailure> {
    let Some(known) = seeds.runtime(&spec) else {
        return runtime::make(node, seeds, spec).await;
    };
    let turn = known.making.lock().await;
    let before = known.state();
    if !matches!(before, State::Resident(_) | State::Stored) {
        drop(turn);
        return runtime::make(node, seeds, spec).await;
    }
    let old = known.image();
    let renewed = try_renew(node, seeds, &known, &old, &spec).await;
    let runtime = known.function();
    match &renewed {
        Ok(image) => {
            tracing::info!(runtime, %image, %old, "the seed of a runtime was made anew");
            seeds.superseded.add(old);
        }
        Err(failure) => {
            let why = chain(failure);
            tracing::warn!(runtime, %why, "the seed of a runtime could not be made anew");
            // Whatever was found out, it was about the new one.
            known.set(before);
        }
    }
    seeds.remove_superseded().await;
    renewed.map(|_| Seeding::Seeded)
}

/// The name of the new image.
async fn try_renew(
    node: &Node,
    seeds: &Seeds,
    known: &Version,
    old: &ImageName,
    spec: &Arc<InstanceSpec>,
) -> Result<ImageName, CreateFailure> {
    let next = seeds.next_image(old).await?;
    let begin = async || runtime::begin(node, Arc::clone(spec)).await;
    let secrets = seeds.rules().shapes();
    let made = try_make(node, seeds, known, next.clone(), spec, secrets, begin).await;
    if made.is_err() {
        // There may be an image of which no template came.
        seeds.superseded.add(next.clone());
    }
    made.map(|_| next)
}

impl Seeds {
    /// A name for the image that comes after `old`, with no image of that name.
    async fn next_image(&self, old: &ImageName) -> Result<ImageName, NodeError> {
        let broken = |why: String| NodeError::Unseedable {
            function: old.to_string(),
            why,
        };
        let (runtime, rotation) =
            name::rotation(old).ok_or_else(|| broken("it is of no runtime".to_owned()))?;
        let next = name::rotated(&runtime, rotation.saturating_add(1));
        let next = next.map_err(|error| broken(error.to_string()))?;
        // Left by an attempt that failed.
        let failed = |source| NodeError::Seed {
            function: old.to_string(),
            source: Box::new(source),
        };
        if self.forge.has(next.clone()).await.map_err(failed)? {
            self.forge.discard(next.clone()).await.map_err(failed)?;
        }
        Ok(next)
    }

    /// The image of the seed that an instance is a clone of, if it is still there: only the difference to it has to be stored.
    /// While the guard is held, it stays.
    pub(super) async fn parent_of(
        &self,
        instance: &Instance,
    ) -> (RwLockReadGuard<'_, ()>, Option<ImageName>) {
        let held = self.superseded.uses.read().await;
        let Some((seed, _)) = &instance.origin else {
            return (held, None);
        };
        let image = seed.name().clone();
        let is_there = self.forge.has(image.clone()).await.unwrap_or(false);
        (held, is_there.then_some(image))
    }

    /// Removes superseded images to which none is a difference any more.
    pub(super) async fn remove_superseded(&self) {
        let images = lock(&self.superseded.images).clone();
        if images.is_empty() {
            return;
        }
        let _alone = self.superseded.uses.write().await;
        for image in images {
            // In use by another image, it stays, and is tried again when one goes.
            if self.forge.remove(image.clone()).await.is_ok() {
                tracing::info!(%image, "removed the old seed of a runtime");
            } else if !matches!(self.forge.has(image.clone()).await, Ok(false)) {
                continue;
            }
            lock(&self.superseded.images).remove(&image);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn newest_image_of_each_runtime_is_its_seed() {
        let names = [
            "runtime-aa",
            "runtime-aa-r9",
            "runtime-aa-r10",
            "runtime-bb",
            "version-aa-r11",
        ];
        let images = names.map(|text| ImageName::new(text).unwrap());
        let found = newest(images.iter());
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(runtime, image)| (runtime.as_str(), image.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("runtime-aa", "runtime-aa-r10"),
                ("runtime-bb", "runtime-bb")
            ]
        );
    }
}
