//! What is known of one seed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use offshoot_seed::{Finding, ForkError, ImageName, Seed, listed};
use tokio::sync::Notify;

use super::lock;
use super::templates::{Crowd, Templates};

/// The seed of one function version, or of a runtime.
#[derive(Debug)]
pub(crate) struct Version {
    /// What decides what its process is; also the name of its image, unless that was rotated.
    pub(super) name: ImageName,
    /// The present image, or the one that will be made.
    pub(super) image: Mutex<ImageName>,
    /// Of a runtime, Lambda's name of it.
    pub(super) function: Arc<str>,
    /// `$LATEST` or a number; of a runtime, [`super::runtime::LABEL`].
    pub(super) label: Arc<str>,
    pub(super) state: Mutex<State>,
    /// Told of each new state; of runtimes.
    pub(super) changed: Option<Arc<Notify>>,
    /// When a clone of it was last asked for, or its template made.
    pub(super) used: Mutex<Instant>,
    /// Its last template, which its clones may keep alive when it is not at hand any more.
    pub(super) last: Mutex<Weak<Seed>>,
    /// Held by whoever makes the image or the template.
    pub(super) making: tokio::sync::Mutex<()>,
    pub(super) crowd: Crowd,
    /// How many clones may still be watched: not every one lives until it can be looked at.
    pub(super) lessons: AtomicU32,
    /// What looks like a secret in its image, if that was made in this daemon's life.
    pub(super) secrets: Mutex<Option<Arc<str>>>,
}

/// What is known of a seed.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Nothing: there may be an image, of an earlier daemon.
    Unknown,
    /// There is no image.
    Absent,
    /// There is an image, and no template.
    Stored,
    /// There is a template, or there are several.
    Resident(Templates),
    /// There cannot be one; why.
    Refused(Arc<str>),
}

impl Version {
    /// Of which nothing is known yet. `lessons` of its clones may be watched.
    pub(super) fn new(
        name: &ImageName,
        function: Arc<str>,
        label: Arc<str>,
        changed: Option<Arc<Notify>>,
        lessons: u32,
    ) -> Self {
        Self {
            name: name.clone(),
            image: Mutex::new(name.clone()),
            function,
            label,
            state: Mutex::new(State::Unknown),
            changed,
            used: Mutex::new(Instant::now()),
            last: Mutex::default(),
            making: tokio::sync::Mutex::default(),
            crowd: Crowd::default(),
            lessons: AtomicU32::new(lessons),
            secrets: Mutex::default(),
        }
    }

    /// Whether it is worth trying to make its image: there is none that is known of, and nobody is at it.
    pub(crate) fn is_wanted(&self) -> bool {
        matches!(self.state(), State::Unknown | State::Absent) && self.making.try_lock().is_ok()
    }

    /// Whether the next clone shall be watched.
    pub(crate) fn takes_lesson(&self, seed: &Seed) -> bool {
        let fewer = |lessons: u32| lessons.checked_sub(1);
        !seed.is_learnt()
            && self
                .lessons
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
                .is_ok()
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.state(), State::Refused(_))
    }

    pub(crate) fn function(&self) -> &str {
        &self.function
    }

    /// Tells and keeps what looks like a secret in its image.
    pub(super) fn note_findings(&self, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        let found = listed(findings);
        let (function, version) = (&*self.function, &*self.label);
        tracing::warn!(
            function,
            version,
            found,
            "a seed's image holds what looks like a secret"
        );
        *lock(&self.secrets) = Some(found.into());
    }

    /// The present image, or the one that will be made.
    pub(super) fn image(&self) -> ImageName {
        lock(&self.image).clone()
    }

    pub(super) fn use_now(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(super) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub(super) fn set(&self, state: State) {
        *lock(&self.state) = state;
        if let Some(changed) = &self.changed {
            changed.notify_one();
        }
    }

    /// A template of it has ended: if it was the last, the next clone makes another one of the image.
    pub(crate) fn lost(&self, seed: &Arc<Seed>, error: &ForkError) {
        let mut state = lock(&self.state);
        if let State::Resident(known) = &*state
            && known.all().iter().any(|known| Arc::ptr_eq(known, seed))
        {
            let (function, image) = (self.function(), seed.name());
            tracing::warn!(function, %image, %error, "a template is no good any more");
            *state = match known.clone().without(seed) {
                Some(left) => State::Resident(left),
                None => State::Stored,
            };
        }
        let mut last = lock(&self.last);
        if last.upgrade().is_some_and(|last| Arc::ptr_eq(&last, seed)) {
            *last = Weak::new();
        }
    }

    /// Its image was made, or made anew: no template is of that yet.
    pub(super) fn made(&self) {
        *lock(&self.last) = Weak::new();
        // The template of an earlier one serves until there is one of this.
        if !matches!(self.state(), State::Resident(_)) {
            self.set(State::Stored);
        }
    }
}
