//! The templates of one seed: one, and more while clones are asked for faster than one makes them.
//!
//! A template makes one clone after the other, on one processor (docs/design/clone.md). [`Crowd`] says when that is not
//! enough; then [`grow`] makes another one of the same image, on the next processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use offshoot_seed::Seed;

use super::make::room;
use super::{Seeds, State, Version, lock};
use crate::{InstanceSpec, Node};

/// What makes clones, and knows how many are in its hands.
pub(crate) trait Busy {
    /// The clones that are being made, and that wait for it.
    fn waiting(&self) -> u32;
}

impl Busy for Seed {
    fn waiting(&self) -> u32 {
        Self::waiting(self)
    }
}

/// All templates of a seed; never none.
#[derive(Debug)]
pub(crate) struct Templates<T = Seed>(Vec<Arc<T>>);

impl<T> Clone for Templates<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Busy> Templates<T> {
    pub(super) fn one(seed: Arc<T>) -> Self {
        Self(vec![seed])
    }

    pub(super) fn all(&self) -> &[Arc<T>] {
        &self.0
    }

    /// One of the same image as all.
    pub(super) fn first(&self) -> &Arc<T> {
        &self.0[0]
    }

    /// The one with the least to do.
    pub(super) fn idlest(&self) -> Arc<T> {
        let idlest = self.0.iter().min_by_key(|seed| seed.waiting());
        Arc::clone(idlest.unwrap_or(self.first()))
    }

    pub(super) fn with(mut self, seed: Arc<T>) -> Self {
        self.0.push(seed);
        self
    }

    /// Without one that has ended; none if it was the last.
    pub(super) fn without(mut self, ended: &Arc<T>) -> Option<Self> {
        self.0.retain(|seed| !Arc::ptr_eq(seed, ended));
        (!self.0.is_empty()).then_some(self)
    }

    /// Without the one that was made last; none if that is the only one.
    fn fewer(mut self) -> Option<Self> {
        self.0.pop();
        (!self.0.is_empty()).then_some(self)
    }
}

/// How often clones had to wait for their template lately: one more each time, one less each time that none had to.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    waits: AtomicU32,
    /// The other way round.
    calm: AtomicU32,
}

/// More than a single burst of as many callers as the machine can serve at once.
const CROWDED: u32 = 64;
/// An extra template ends when so many clones more had no need of it than had.
const CALM: u32 = 1024;

/// What the number of templates should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tide {
    Rise,
    Fall,
    Still,
}

impl Crowd {
    /// Notes a clone, which found every template at work or did not.
    pub(super) fn note(&self, waits: bool) -> Tide {
        let (more, less) = if waits {
            (&self.waits, &self.calm)
        } else {
            (&self.calm, &self.waits)
        };
        let _ = less.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        let count = more.fetch_add(1, Ordering::Relaxed) + 1;
        let (limit, tide) = if waits {
            (CROWDED, Tide::Rise)
        } else {
            (CALM, Tide::Fall)
        };
        if count < limit {
            return Tide::Still;
        }
        more.store(0, Ordering::Relaxed);
        tide
    }
}

impl Version {
    /// Notes a clone, which had to wait for its template or had not; whether there should be another one.
    pub(crate) fn is_crowded(&self, waits: bool) -> bool {
        match self.crowd.note(waits) {
            Tide::Rise => true,
            Tide::Fall => {
                self.spare();
                false
            }
            Tide::Still => false,
        }
    }

    /// Ends one of several templates; whether there were several.
    pub(super) fn spare(&self) -> bool {
        let mut state = lock(&self.state);
        let State::Resident(now) = &*state else {
            return false;
        };
        let fewer = now.clone().fewer();
        let had_several = fewer.is_some();
        if let Some(fewer) = fewer {
            *state = State::Resident(fewer);
        }
        had_several
    }
}

/// Makes another template of a seed, unless it has as many as there are processors, or there are as many templates as may be.
pub(crate) async fn grow(node: &Node, seeds: &Seeds, version: &Version, spec: &InstanceSpec) {
    let Ok(_turn) = version.making.try_lock() else {
        return;
    };
    let State::Resident(before) = version.state() else {
        return;
    };
    if before.all().len() >= seeds.most_each || seeds.resident_templates() >= seeds.most_resident {
        return;
    }
    let Some(launcher) = node.launcher() else {
        return;
    };
    let function = version.function();
    let Ok(taken) = room(&launcher, spec, node.next_id()).await else {
        return;
    };
    let made = seeds
        .template(version.image(), before.first().memory(), &taken)
        .await;
    launcher.recycle(taken.occupied().end()).await;
    match made {
        Ok(seed) => {
            let mut state = lock(&version.state);
            // It may have been told to end meanwhile.
            if let State::Resident(now) = &*state {
                let more = now.clone().with(seed);
                let templates = more.all().len();
                *state = State::Resident(more);
                tracing::info!(function, templates, "a seed has another template");
            }
        }
        Err(error) => tracing::warn!(function, %error, "a seed gets no other template"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Worker(u32);

    impl Busy for Worker {
        fn waiting(&self) -> u32 {
            self.0
        }
    }

    fn templates(waiting: &[u32]) -> Templates<Worker> {
        let mut all = waiting.iter().map(|&waiting| Arc::new(Worker(waiting)));
        let first = Templates::one(all.next().unwrap());
        all.fold(first, Templates::with)
    }

    #[test]
    fn the_idlest_makes_the_next_clone() {
        assert_eq!(templates(&[2, 1, 3]).idlest().waiting(), 1);
        let equal = templates(&[0, 0]);
        assert!(Arc::ptr_eq(&equal.idlest(), equal.first()));
    }

    #[test]
    fn one_that_has_ended_is_left_out_and_the_last_one_leaves_none() {
        let both = templates(&[0, 0]);
        let (one, other) = (Arc::clone(&both.all()[0]), Arc::clone(&both.all()[1]));
        let left = both.without(&one).unwrap();
        assert!(Arc::ptr_eq(left.first(), &other));
        assert!(left.clone().without(&one).is_some());
        assert!(left.without(&other).is_none());
        let one = templates(&[0, 0]).fewer().unwrap();
        assert_eq!(one.all().len(), 1);
        assert!(one.fewer().is_none());
    }

    #[test]
    fn a_burst_is_no_crowd_and_callers_who_keep_waiting_are() {
        let crowd = Crowd::default();
        for _ in 0..4 {
            let burst: Vec<_> = (0..23).map(|_| crowd.note(true)).collect();
            assert!(burst.iter().all(|tide| *tide == Tide::Still));
            assert!((0..23).all(|_| crowd.note(false) == Tide::Still));
        }
        let lasting: Vec<_> = (0..2 * CROWDED).map(|_| crowd.note(true)).collect();
        let rises = lasting.iter().filter(|tide| **tide == Tide::Rise).count();
        assert_eq!(rises, 2);
    }

    #[test]
    fn calm_that_lasts_takes_a_template_back() {
        let crowd = Crowd::default();
        let calm: Vec<_> = (0..CALM).map(|_| crowd.note(false)).collect();
        let (last, earlier) = calm.split_last().unwrap();
        assert_eq!(*last, Tide::Fall);
        assert!(earlier.iter().all(|tide| *tide == Tide::Still));
    }
}
