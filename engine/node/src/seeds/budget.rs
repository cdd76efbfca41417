//! How much of the disk images take, and which of them serve nobody any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use offshoot_seed::{ImageName, SeedError};

use super::{Seeds, State, Version, lock, name, rotation};
use crate::{InstanceSpec, environment};

impl Seeds {
    /// Removes the images that are of none of these versions, nor of a runtime of theirs. For the daemon's start.
    pub(crate) async fn keep_only(&self, specs: &[InstanceSpec]) {
        let images = match self.forge.images().await {
            Ok(images) => images,
            Err(error) => return tracing::warn!(%error, "the images of seeds cannot be listed"),
        };
        if images.is_empty() {
            return;
        }
        let wanted: BTreeSet<ImageName> =
            specs.iter().flat_map(|spec| self.names_of(spec)).collect();
        let kept = images.iter().filter(|(image, _)| wanted.contains(*image));
        *lock(&self.inherited) = kept.map(|(image, bytes)| (image.clone(), *bytes)).collect();
        let newest = rotation::newest(images.keys());
        self.find_runtimes(specs, &newest);
        let serves = |image: &ImageName| match name::rotation(image) {
            Some((runtime, _)) => wanted.contains(&runtime) && newest.get(&runtime) == Some(image),
            None => wanted.contains(image),
        };
        let gone = images.into_keys().filter(|image| !serves(image));
        for image in gone {
            if name::rotation(&image).is_some() {
                // Later: differences go before what they are differences to.
                self.superseded.add(image);
            } else {
                self.remove_unwanted(image).await;
            }
        }
        self.remove_superseded().await;
    }

    async fn remove_unwanted(&self, image: ImageName) {
        match self.forge.remove(image.clone()).await {
            Ok(()) => tracing::info!(%image, "removed a seed that no version has"),
            Err(error) => tracing::warn!(%image, %error, "a seed that no version has stays"),
        }
    }

    /// Notes which runtimes have an image of an earlier daemon, so that nobody has to start for that to be known.
    fn find_runtimes(&self, specs: &[InstanceSpec], newest: &BTreeMap<ImageName, ImageName>) {
        for runtime in specs.iter().filter_map(|spec| self.runtime(spec)) {
            let image = newest.get(&runtime.name);
            if let Some(image) = image.filter(|_| matches!(runtime.state(), State::Unknown)) {
                *lock(&runtime.image) = image.clone();
                runtime.set(State::Stored);
            }
        }
    }

    /// How much of the disk a version's image takes, in bytes, if one is known to be there: of an earlier daemon, or since
    /// its template was made.
    pub(crate) fn image_bytes(&self, spec: &InstanceSpec) -> Option<u64> {
        let name = self.name_of(spec).ok()?;
        let known = lock(&self.versions)
            .get(&name)
            .map(|version| version.state());
        match known {
            Some(State::Resident(templates)) => Some(templates.first().stored_bytes()),
            Some(State::Absent | State::Refused(_)) => None,
            Some(State::Unknown | State::Stored) | None => {
                lock(&self.inherited).get(&name).copied()
            }
        }
    }

    /// The images that serve a version.
    fn names_of(&self, spec: &InstanceSpec) -> impl Iterator<Item = ImageName> + use<> {
        let runtime = environment::begins_in_runtime_seed(spec).then(|| name::of_runtime(spec));
        std::iter::once(self.name_of(spec)).chain(runtime).flatten()
    }

    /// Removes images, those first that were used least lately, until all fit into the budget; never `made`.
    pub(crate) async fn make_room(&self, made: &ImageName) {
        if let Err(error) = self.try_make_room(made).await {
            tracing::warn!(%error, "the images of seeds cannot be brought within their budget");
        }
    }

    async fn try_make_room(&self, made: &ImageName) -> Result<(), SeedError> {
        let images = self.forge.images().await?;
        let mut total: u64 = images.values().sum();
        if total <= self.disk_bytes {
            return Ok(());
        }
        let versions: Vec<_> = lock(&self.versions).values().cloned().collect();
        let known = |image: &ImageName| versions.iter().find(|it| it.image() == *image).cloned();
        let mut candidates: Vec<Candidate> = images
            .into_iter()
            .filter(|(image, _)| image != made)
            .map(|(image, bytes)| Candidate {
                version: known(&image),
                image,
                bytes,
            })
            .collect();
        candidates.sort_by_cached_key(Candidate::used);
        for Candidate {
            version,
            image,
            bytes,
        } in candidates
        {
            if total <= self.disk_bytes {
                return Ok(());
            }
            // What others are differences to is refused, and stays.
            if self.forge.remove(image.clone()).await.is_err() {
                continue;
            }
            total -= bytes;
            lock(&self.inherited).remove(&image);
            tracing::info!(%image, bytes, "removed a seed: the images are over their budget");
            if let Some(version) = version {
                version.set(State::Absent);
            }
        }
        if total > self.disk_bytes {
            let budget = self.disk_bytes;
            tracing::warn!(total, budget, "the images of seeds are over their budget");
        }
        Ok(())
    }
}

/// An image that may go.
struct Candidate {
    image: ImageName,
    bytes: u64,
    version: Option<Arc<Version>>,
}

impl Candidate {
    /// When it was used last; before all others if it is of an earlier daemon, and was not in this one's life.
    fn used(&self) -> Option<Instant> {
        self.version.as_ref().map(|version| *lock(&version.used))
    }
}
