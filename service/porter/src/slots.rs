//! What there is of each function version: idle instances and parked clones.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use offshoot_decide::{FunctionId, PerRung};

use crate::Target;

/// An instance that waits.
#[derive(Debug)]
pub(crate) struct Waiting<I> {
    pub(crate) instance: I,
    /// Memory of its own, as it was last measured.
    pub(crate) bytes: u64,
    /// Orders all that wait by when they began to.
    number: u64,
}

/// Told whether the seed that was asked for is there.
pub(crate) type Done = Box<dyn FnOnce(bool) + Send>;

/// One version, as the core knows it.
pub(crate) struct Slot<I> {
    pub(crate) target: Arc<Target>,
    /// The one that became idle first is in front.
    pub(crate) idle: VecDeque<Waiting<I>>,
    pub(crate) parked: VecDeque<Waiting<I>>,
    /// Parked clones on their way.
    pub(crate) parking: u32,
    /// The core has been told of a seed.
    pub(crate) has_seed: bool,
    /// Who waits for the seed.
    pub(crate) waiting: Vec<Done>,
    /// Last measured sizes of instances, by the rung that they were started from.
    pub(crate) sizes: PerRung<Option<u64>>,
    /// The reservation that the core was told.
    pub(crate) reserved: Option<u32>,
}

/// All of them. Not locked: the porter holds it under one lock.
pub(crate) struct Slots<I> {
    slots: HashMap<FunctionId, Slot<I>>,
    /// Versions by function, with their revisions.
    versions: HashMap<Arc<str>, Vec<FunctionId>>,
    idle: usize,
    next: u64,
}

impl<I> Default for Slots<I> {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            versions: HashMap::new(),
            idle: 0,
            next: 0,
        }
    }
}

impl<I> Slots<I> {
    /// The version that a target means, if it is known.
    pub(crate) fn find(&self, target: &Target) -> Option<FunctionId> {
        let versions = self.versions.get(&target.spec.function)?;
        let is_it = |id: &&FunctionId| {
            let slot = self.slots.get(id);
            slot.is_some_and(|slot| slot.target.revision == target.revision)
        };
        versions.iter().find(is_it).copied()
    }

    /// The version of a function with this label, `$LATEST` or a number; of several revisions the newest.
    pub(crate) fn labelled(&self, function: &str, label: &str) -> Option<FunctionId> {
        let versions = self.versions.get(function)?.iter().rev();
        let mut found = versions.filter(|id| {
            let slot = self.slots.get(id);
            slot.is_some_and(|slot| &*slot.target.spec.version == label)
        });
        found.next().copied()
    }

    pub(crate) fn add(&mut self, id: FunctionId, target: Arc<Target>) {
        let versions = self.versions.entry(Arc::clone(&target.spec.function));
        versions.or_default().push(id);
        let slot = Slot {
            reserved: target.reserved_concurrency,
            target,
            idle: VecDeque::new(),
            parked: VecDeque::new(),
            parking: 0,
            has_seed: false,
            waiting: Vec::new(),
            sizes: PerRung::default(),
        };
        self.slots.insert(id, slot);
    }

    /// Removes a function's version, or all of its versions.
    pub(crate) fn remove(
        &mut self,
        function: &str,
        label: Option<&str>,
    ) -> Vec<(FunctionId, Slot<I>)> {
        let Some(versions) = self.versions.get_mut(function) else {
            return Vec::new();
        };
        let slots = &mut self.slots;
        let mut gone = Vec::new();
        versions.retain(|id| {
            let version = slots.get(id).map(|slot| &*slot.target.spec.version);
            let stays = label.is_some_and(|label| version.is_some_and(|version| version != label));
            if !stays {
                gone.extend(slots.remove(id).map(|slot| (*id, slot)));
            }
            stays
        });
        if versions.is_empty() {
            self.versions.remove(function);
        }
        self.idle -= gone.iter().map(|(_, slot)| slot.idle.len()).sum::<usize>();
        gone
    }

    /// All versions.
    pub(crate) fn ids(&self) -> impl Iterator<Item = FunctionId> {
        self.slots.keys().copied()
    }

    pub(crate) fn get(&self, id: FunctionId) -> Option<&Slot<I>> {
        self.slots.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: FunctionId) -> Option<&mut Slot<I>> {
        self.slots.get_mut(&id)
    }

    /// The idle instance that was used last.
    pub(crate) fn take_idle(&mut self, id: FunctionId) -> Option<Waiting<I>> {
        let taken = self.slots.get_mut(&id)?.idle.pop_back()?;
        self.idle -= 1;
        Some(taken)
    }

    /// The parked clone that was made first: one from before its seed had learnt, or was made anew, does not stay.
    pub(crate) fn take_parked(&mut self, id: FunctionId) -> Option<Waiting<I>> {
        self.slots.get_mut(&id)?.parked.pop_front()
    }

    /// How many clones are parked.
    pub(crate) fn parked(&self) -> usize {
        self.slots.values().map(|slot| slot.parked.len()).sum()
    }

    /// Keeps an instance, unless its function has changed.
    pub(crate) fn put_idle(&mut self, id: FunctionId, instance: I, bytes: u64) -> Result<(), I> {
        let waiting = self.waiting(instance, bytes);
        let Some(slot) = self.slots.get_mut(&id) else {
            return Err(waiting.instance);
        };
        slot.idle.push_back(waiting);
        self.idle += 1;
        Ok(())
    }

    /// Keeps a parked clone that was on its way, unless its function has changed.
    pub(crate) fn put_parked(&mut self, id: FunctionId, instance: I, bytes: u64) -> Result<(), I> {
        let waiting = self.waiting(instance, bytes);
        let Some(slot) = self.slots.get_mut(&id) else {
            return Err(waiting.instance);
        };
        slot.parking = slot.parking.saturating_sub(1);
        slot.parked.push_back(waiting);
        Ok(())
    }

    /// The longest idle ones of a version.
    pub(crate) fn retire_idle(&mut self, id: FunctionId, count: u32) -> Vec<Waiting<I>> {
        let Some(slot) = self.slots.get_mut(&id) else {
            return Vec::new();
        };
        let count = slot.idle.len().min(count as usize);
        self.idle -= count;
        slot.idle.drain(..count).collect()
    }

    /// The longest parked ones of a version.
    pub(crate) fn unpark(&mut self, id: FunctionId, count: u32) -> Vec<Waiting<I>> {
        let Some(slot) = self.slots.get_mut(&id) else {
            return Vec::new();
        };
        let count = slot.parked.len().min(count as usize);
        slot.parked.drain(..count).collect()
    }

    /// The version whose instance has been idle for longest of all, or if none is idle, whose clone was parked for
    /// longest; true if it is a parked one. Looks at every version.
    pub(crate) fn oldest(&self) -> Option<(FunctionId, bool)> {
        let of = |is_parked: bool| {
            let fronts = self.slots.iter().filter_map(move |(id, slot)| {
                let waiting = if is_parked { &slot.parked } else { &slot.idle };
                Some((waiting.front()?.number, *id))
            });
            fronts.min().map(|(_, id)| (id, is_parked))
        };
        of(false).or_else(|| of(true))
    }

    /// Everything that waits.
    pub(crate) fn take_all(&mut self) -> Vec<Waiting<I>> {
        self.idle = 0;
        let slots = self.slots.values_mut();
        let all = slots.flat_map(|slot| slot.idle.drain(..).chain(slot.parked.drain(..)));
        all.collect()
    }

    /// How many are idle.
    pub(crate) fn idle(&self) -> usize {
        self.idle
    }

    /// Something that waits from now on.
    pub(crate) fn waiting(&mut self, instance: I, bytes: u64) -> Waiting<I> {
        self.next += 1;
        Waiting {
            instance,
            bytes,
            number: self.next,
        }
    }
}
