//! The seeds of function versions: which there are, and who makes them.
//!
//! 1. [`make::make`] initialises an instance of its own, freezes it and keeps the template: from then on, instances are
//!    clones ([`crate::fork`]). What cannot be frozen is remembered, with the reason, until its function changes.
//! 2. [`Seeds::resident`] has the template at hand. After a restart of the daemon, or the death of a template, it is made
//!    again of the image, by the first who wants a clone.
//! 3. [`Seeds::learn`] has the first clone's answer tell which pages clones need, and makes a template that has them ready.
//! 4. [`Seeds::runtime`] is the seed of a language runtime without a function, in whose clones functions initialise
//!    ([`crate::level1`]); what is made of such a clone stores only the difference.
//! 5. A runtime's seed is made anew under another name, and its old image goes when nothing depends on it ([`rotation`]).
//! 6. Images are kept within a budget, and those of versions that are gone are removed at the start ([`budget`]).
//! 7. A seed has more than one template while one is not enough ([`templates`]).
//! 8. [`Seeds::forget`] ends the templates and images of a function that has changed.

mod budget;
mod clones;
mod connection;
mod info;
pub(crate) mod keep;
pub(crate) mod make;
mod name;
pub(crate) mod rotation;
pub(crate) mod runtime;
pub(crate) mod templates;
mod train;
mod version;

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use offshoot_sandbox::{Launcher, Taken};
use offshoot_seed::{FileUser, Forge, ImageName, Learn, Memory, Seed, SeedError, Warm};
use tokio::sync::Notify;

pub use clones::{CloneInfo, MemoryUse};
pub(crate) use clones::{Clones, Listed};
pub use info::SeedInfo;
pub use keep::TemplateInfo;
pub use runtime::RuntimeSeed;

pub(crate) use self::version::Version;

use self::templates::Templates;
use self::version::State;
use crate::{InstanceSpec, NodeError, Roles, SecretRules, SeedConfig};

/// How many clones of a seed are watched at most.
const LESSONS: u32 = 3;

/// All seeds of a node.
#[derive(Debug)]
pub(crate) struct Seeds {
    forge: Forge,
    rules: SecretRules,
    roles: Roles,
    most_resident: usize,
    /// How many templates a seed may have: one for each processor, where each makes its clones.
    most_each: usize,
    /// How much of the disk images may take, in bytes.
    disk_bytes: u64,
    of_runtimes: bool,
    versions: Mutex<HashMap<ImageName, Arc<Version>>>,
    /// Told when a runtime's seed comes or goes.
    runtimes_changed: Arc<Notify>,
    superseded: rotation::Superseded,
    /// The images of an earlier daemon, and how much of the disk they take, in bytes.
    inherited: Mutex<HashMap<ImageName, u64>>,
    /// Every template that lives: also those that make no more clones, which live as long as the clones that share their
    /// memory.
    living: Mutex<Vec<Weak<Seed>>>,
}

/// A seed with a template at hand.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) seed: Arc<Seed>,
    /// If the template was made just now: a sandbox with the version's files, in which nothing has run.
    pub(crate) room: Option<Taken>,
}

impl Resident {
    fn of(seed: Arc<Seed>) -> Self {
        Self { seed, room: None }
    }
}

impl Seeds {
    pub(crate) fn new(config: SeedConfig, roles: Roles) -> Self {
        Self {
            forge: config.forge,
            rules: config.secrets,
            roles,
            most_resident: config.resident.max(1),
            most_each: std::thread::available_parallelism().map_or(1, NonZero::get),
            disk_bytes: config.disk_bytes,
            of_runtimes: config.of_runtimes,
            versions: Mutex::default(),
            runtimes_changed: Arc::default(),
            superseded: rotation::Superseded::default(),
            inherited: Mutex::default(),
            living: Mutex::default(),
        }
    }

    /// Which variables are kept from seeds.
    pub(crate) fn rules(&self) -> &SecretRules {
        &self.rules
    }

    /// The seed of a version, whatever is known of it.
    pub(crate) fn version(&self, spec: &InstanceSpec) -> Result<Arc<Version>, NodeError> {
        let name = self.name_of(spec)?;
        let whose = || (Arc::clone(&spec.function), Arc::clone(&spec.version));
        Ok(self.known(name, LESSONS, whose))
    }

    /// The name of the image of a version's seed, which has no secret variables.
    fn name_of(&self, spec: &InstanceSpec) -> Result<ImageName, NodeError> {
        let without = self.rules.without(spec);
        name::of(without.as_ref().unwrap_or(spec), self.roles.knows(spec))
    }

    /// What is known under a name; `whose` gives its function and label if that is nothing.
    fn known(
        &self,
        name: ImageName,
        lessons: u32,
        whose: impl FnOnce() -> (Arc<str>, Arc<str>),
    ) -> Arc<Version> {
        let mut versions = lock(&self.versions);
        let version = versions.entry(name).or_insert_with_key(|name| {
            let (function, label) = whose();
            let is_runtime = &*label == runtime::LABEL;
            let changed = is_runtime.then(|| Arc::clone(&self.runtimes_changed));
            Arc::new(Version::new(name, function, label, changed, lessons))
        });
        Arc::clone(version)
    }

    /// A template of a version's image, which is made if need be, with its pages where `memory` says; `room` gives a sandbox
    /// with the version's files. None if there is no image.
    pub(crate) async fn resident(
        &self,
        version: &Version,
        memory: Memory,
        launcher: &Launcher,
        room: impl AsyncFnOnce() -> Result<Taken, NodeError>,
    ) -> Result<Option<Resident>, NodeError> {
        version.use_now();
        match version.state() {
            State::Resident(templates) => return Ok(Some(Resident::of(templates.idlest()))),
            State::Absent | State::Refused(_) => return Ok(None),
            State::Unknown | State::Stored => {}
        }
        let _turn = version.making.lock().await;
        match version.state() {
            State::Resident(templates) => return Ok(Some(Resident::of(templates.idlest()))),
            State::Absent | State::Refused(_) => return Ok(None),
            State::Unknown if !self.has_image(version).await? => {
                version.set(State::Absent);
                return Ok(None);
            }
            State::Unknown | State::Stored => version.set(State::Stored),
        }
        if let Some(seed) = self.revive(version) {
            return Ok(Some(Resident::of(seed)));
        }
        match self.replace(version, memory, launcher, room).await {
            Ok((seed, room)) => Ok(Some(Resident {
                seed,
                room: Some(room),
            })),
            Err(error) => {
                let is_useless =
                    matches!(&error, NodeError::Seed { source, .. } if source.is_of_image());
                let error = remember(version, error);
                if is_useless {
                    self.discard(version).await;
                }
                Err(error)
            }
        }
    }

    /// The template that was at hand last, if clones have kept it alive: their memory is its, so it costs nothing, wherever
    /// that lives.
    fn revive(&self, version: &Version) -> Option<Arc<Seed>> {
        let seed = lock(&version.last).upgrade()?;
        version.set(State::Resident(Templates::one(Arc::clone(&seed))));
        self.keep_most_used();
        Some(seed)
    }

    /// Removes an image of which no template came, as it is damaged or of another machine: another one can be made.
    async fn discard(&self, version: &Version) {
        version.set(State::Absent);
        let (function, image) = (version.function(), version.image());
        lock(&self.inherited).remove(&image);
        match self.forge.discard(image.clone()).await {
            Ok(()) => tracing::warn!(function, %image, "a seed that was no good is removed"),
            Err(error) => tracing::warn!(function, %image, %error, "a seed that is no good stays"),
        }
    }

    /// Makes the template of an image, in a sandbox with the files that it has mapped; from then on it is the version's.
    async fn warm(
        &self,
        version: &Version,
        image: ImageName,
        memory: Memory,
        taken: &Taken,
    ) -> Result<Arc<Seed>, SeedError> {
        let seed = self.template(image.clone(), memory, taken).await?;
        *lock(&version.last) = Arc::downgrade(&seed);
        version.use_now();
        *lock(&version.image) = image;
        version.set(State::Resident(Templates::one(Arc::clone(&seed))));
        self.keep_most_used();
        Ok(seed)
    }

    async fn template(
        &self,
        name: ImageName,
        memory: Memory,
        taken: &Taken,
    ) -> Result<Arc<Seed>, SeedError> {
        let root = taken.root().map_err(SeedError::Root)?;
        let user = taken.join().map_or(0, |join| join.uid);
        let warm = Warm {
            name,
            root,
            files_as: FileUser { user, group: user },
            memory,
        };
        let seed = Arc::new(self.forge.template(warm).await?);
        lock(&self.living).push(Arc::downgrade(&seed));
        Ok(seed)
    }

    /// The templates of all seeds.
    fn resident_templates(&self) -> usize {
        let versions = lock(&self.versions);
        let each = versions.values().map(|version| match version.state() {
            State::Resident(templates) => templates.all().len(),
            _ => 0,
        });
        each.sum()
    }

    /// Ends a template if there are more than may stay: one that is not its seed's only one, else the one that was used least
    /// lately.
    fn keep_most_used(&self) {
        if self.resident_templates() <= self.most_resident {
            return;
        }
        let versions = lock(&self.versions);
        if versions.values().any(|version| version.spare()) {
            return;
        }
        let is_resident = |version: &&Arc<Version>| matches!(version.state(), State::Resident(_));
        let resident = versions.values().filter(is_resident);
        let oldest = resident.min_by_key(|version| *lock(&version.used));
        if let Some(version) = oldest {
            version.set(State::Stored);
        }
    }

    /// Learns of a watched clone, which waits after its first answer, and has later ones come of a template that knows.
    pub(crate) async fn learn(
        &self,
        version: &Version,
        pid: i32,
        launcher: &Launcher,
        room: impl AsyncFnOnce() -> Result<Taken, NodeError>,
    ) -> Result<(), NodeError> {
        let _turn = version.making.lock().await;
        let memory = match version.state() {
            // Of several that were watched, one has been enough.
            State::Resident(templates) if templates.first().is_learnt() => return Ok(()),
            State::Resident(templates) => templates.first().memory(),
            _ => return Ok(()),
        };
        let learn = Learn {
            name: version.image(),
            pid,
        };
        let learnt = self.forge.learn(learn).await;
        learnt.map_err(|source| self.note(version, source))?;
        let replaced = self.renew(version, memory, launcher, room).await;
        replaced.map_err(|error| remember(version, error))
    }

    /// [Replaces](Self::replace) the version's template, and gives the sandbox back.
    async fn renew(
        &self,
        version: &Version,
        memory: Memory,
        launcher: &Launcher,
        room: impl AsyncFnOnce() -> Result<Taken, NodeError>,
    ) -> Result<(), NodeError> {
        let (_, room) = self.replace(version, memory, launcher, room).await?;
        launcher.recycle(room.occupied().end()).await;
        Ok(())
    }

    /// Makes a template of the version's image, in the place of those at hand, which stay if that fails; `room` gives a sandbox
    /// with the version's files, in which nothing has run afterwards. Its pages live elsewhere than they should if that cannot be.
    async fn replace(
        &self,
        version: &Version,
        memory: Memory,
        launcher: &Launcher,
        room: impl AsyncFnOnce() -> Result<Taken, NodeError>,
    ) -> Result<(Arc<Seed>, Taken), NodeError> {
        let taken = room().await?;
        let mut warmed = self.warm(version, version.image(), memory, &taken).await;
        if memory == Memory::Mapped && warmed.as_ref().is_err_and(SeedError::is_of_image) {
            // What cannot be mapped may well be copied.
            let (image, memory) = (version.image(), Memory::Local);
            warmed = self.warm(version, image, memory, &taken).await;
        }
        match warmed {
            Ok(seed) => Ok((seed, taken)),
            Err(source) => {
                launcher.recycle(taken.occupied().end()).await;
                Err(failed(version, source))
            }
        }
    }

    async fn has_image(&self, version: &Version) -> Result<bool, NodeError> {
        let found = self.forge.has(version.image()).await;
        found.map_err(|source| self.note(version, source))
    }

    /// Remembers that something will fail again.
    fn note(&self, version: &Version, source: SeedError) -> NodeError {
        remember(version, failed(version, source))
    }

    /// What is known of each, by function and version.
    pub(crate) fn infos(&self) -> Vec<SeedInfo> {
        let versions: Vec<_> = lock(&self.versions).values().cloned().collect();
        let mut infos: Vec<_> = versions.iter().map(|version| version.info()).collect();
        infos.sort_by(|one, other| {
            (&one.function, &one.version).cmp(&(&other.function, &other.version))
        });
        infos
    }

    /// Ends the seeds of a function's version that has changed or gone, or of all its versions; but not one that serves `now`
    /// as well: its process never had what has changed, such as the value of a secret variable.
    pub(crate) async fn forget(
        &self,
        function: &str,
        version: Option<&str>,
        now: Option<&InstanceSpec>,
    ) {
        let mut gone = Vec::new();
        let still = now.and_then(|now| self.name_of(now).ok());
        lock(&self.versions).retain(|name, known| {
            let is_it = version.is_none_or(|version| *known.label == *version);
            // A refusal is forgotten: it may have been about the value of before.
            let serves = still.as_ref() == Some(name) && !known.is_refused();
            let stays = *known.function != *function || !is_it || serves;
            if !stays {
                gone.push(Arc::clone(known));
            }
            stays
        });
        for version in gone {
            let _turn = version.making.lock().await;
            let had_image = matches!(version.state(), State::Stored | State::Resident(_));
            version.set(State::Absent);
            lock(&self.inherited).remove(&version.image());
            if had_image && let Err(error) = self.forge.remove(version.image()).await {
                tracing::warn!(function, image = %version.image(), %error, "a seed's image stays");
            }
        }
        self.remove_superseded().await;
    }
}

fn failed(version: &Version, source: SeedError) -> NodeError {
    NodeError::Seed {
        function: version.function.to_string(),
        source: Box::new(source),
    }
}

/// Remembers that something will fail again.
fn remember(version: &Version, error: NodeError) -> NodeError {
    if let NodeError::Seed { source, .. } = &error
        && source.is_final()
    {
        version.set(State::Refused(chain(source).into()));
    }
    error
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
