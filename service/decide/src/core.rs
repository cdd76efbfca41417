//! The core: what it is told, and when it decides.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::action::{Action, Deed, Reason};
use crate::admission::Admission;
use crate::event::{Event, FunctionId, FunctionSpec, NodeReading, SeedOf};
use crate::function::{Function, Keys, Template};
use crate::ghosts::Ghosts;
use crate::policy::{Policy, Slo};
use crate::pressure::{Memory, Pressure};
use crate::reclaim::{self, Candidates};
use crate::review::Review;
use crate::rung::Backing;
use crate::runtime::Runtime;
use crate::sizes::FirstSizes;
use crate::time::{SECOND_US, Time};

/// Decides; see the crate's documentation. Not shared: its owner holds it under one lock.
#[derive(Debug)]
pub struct Core {
    pub(crate) policy: Policy,
    pub(crate) functions: Vec<Option<Function>>,
    pub(crate) runtimes: Vec<Runtime>,
    pub(crate) runtime_numbers: HashMap<Arc<str>, u32>,
    pub(crate) admission: Admission,
    pub(crate) memory: Memory,
    pub(crate) ghosts: Ghosts,
    pub(crate) candidates: Candidates,
    /// What all functions could give up.
    pub(crate) spare_bytes: u64,
    /// What first instances turn out to use of what they may.
    pub(crate) first_sizes: FirstSizes,
    /// Functions by when they must be looked at.
    pub(crate) due: BTreeSet<(Time, FunctionId)>,
    /// Functions by when their oldest instance became idle.
    pub(crate) idle_since: BTreeSet<(Time, FunctionId)>,
    /// Images by whether a template keeps them in use, then by cost.
    pub(crate) images: BTreeSet<(bool, i64, FunctionId)>,
    pub(crate) image_bytes: u64,
    pub(crate) dirty: Vec<FunctionId>,
    pub(crate) dirty_runtimes: Vec<u32>,
    /// Functions whose places in the ordered sets are of before their last change.
    pub(crate) unindexed: Vec<FunctionId>,
    /// Functions whose seed is wanted, in the order in which it became so.
    pub(crate) seed_queue: VecDeque<FunctionId>,
    /// Seeds of functions that are being made.
    pub(crate) seeds_in_making: BTreeSet<FunctionId>,
    /// Functions whose seed is made early in an idle moment, and when to look for one again.
    pub(crate) hoping: VecDeque<FunctionId>,
    pub(crate) hopes_due: Option<Time>,
    /// When the first of the dirty ones changed.
    pub(crate) dirty_since: Option<Time>,
    /// The cap that was last announced.
    pub(crate) cap_us: Option<u64>,
}

impl Core {
    /// A core that knows no function yet, and no limit of memory until the first reading.
    pub fn new(policy: Policy) -> Self {
        Self {
            admission: Admission::new(policy.concurrency, policy.fair_headroom),
            policy,
            functions: Vec::new(),
            runtimes: Vec::new(),
            runtime_numbers: HashMap::new(),
            memory: Memory::new(),
            ghosts: Ghosts::new(),
            candidates: Candidates::default(),
            spare_bytes: 0,
            first_sizes: FirstSizes::default(),
            due: BTreeSet::new(),
            idle_since: BTreeSet::new(),
            images: BTreeSet::new(),
            image_bytes: 0,
            dirty: Vec::new(),
            dirty_runtimes: Vec::new(),
            unindexed: Vec::new(),
            seed_queue: VecDeque::new(),
            seeds_in_making: BTreeSet::new(),
            hoping: VecDeque::new(),
            hopes_due: None,
            dirty_since: None,
            cap_us: None,
        }
    }

    /// Makes a function known. A function that has changed is removed and added: nothing of the old one is reused.
    pub fn add(&mut self, now: Time, spec: FunctionSpec) -> FunctionId {
        let account = self.admission.account(&spec.account);
        let runtime = spec.runtime.clone().map(|name| self.runtime(&name));
        let group = self.admission.join(&spec.group, spec.reserved_concurrency);
        let id = FunctionId(self.functions.len() as u32);
        let function = Function::new(spec, (account, group), runtime, now, &self.policy);
        self.functions.push(Some(function));
        self.guess_size(id);
        self.touch(now, id);
        id
    }

    /// Forgets a function. Its instances, parked clones, template and images count as gone; the caller ends
    /// them. Events in flight are reported as usual.
    pub fn remove(&mut self, id: FunctionId) {
        self.unindex(id);
        let Some(function) = self.take(id) else {
            return;
        };
        self.end_making(Time(0), id);
        self.admission.leave(function.group);
        let idle: u64 = function.idle.iter().map(|idle| idle.bytes).sum();
        let parked = function.parked_bytes * u64::from(function.parked);
        self.memory.free(idle + parked + function.template.bytes());
        self.memory.free(function.seed_bytes);
        self.image_bytes -= function.seed.image_bytes().unwrap_or(0);
    }

    /// Changes what a function asks for.
    pub fn set_slo(&mut self, now: Time, id: FunctionId, slo: Slo) {
        if let Some(function) = self.get_mut(id) {
            function.spec.slo = slo;
            self.touch(now, id);
        }
    }

    /// Changes the events in flight that are set apart for a function's group.
    pub fn set_reserved(&mut self, id: FunctionId, reserved: Option<u32>) {
        if let Some(function) = self.get_mut(id) {
            function.spec.reserved_concurrency = reserved;
            let group = function.group;
            self.admission.reserve(group, reserved);
        }
    }

    /// Asks for a function's seed at once, as for one that was just published.
    pub fn want_seed(&mut self, now: Time, id: FunctionId) {
        if let Some(function) = self.get_mut(id) {
            function.spec.seed_at_publish = true;
            function.seed.want(0);
            self.touch(now, id);
        }
    }

    /// What the core counts of a function: idle instances and parked clones.
    pub fn counts(&self, id: FunctionId) -> Option<(u32, u32)> {
        let function = self.get(id)?;
        Some((function.idle.len() as u32, function.parked))
    }

    /// Tells what the node's memory reads. Best before each `decide`, and when the kernel reports pressure.
    pub fn read(&mut self, reading: NodeReading) {
        self.memory.read(reading, &self.policy);
    }

    /// Tells what happened to a function outside an invocation. Of a function that was removed: nothing.
    pub fn observe(&mut self, now: Time, id: FunctionId, event: Event) {
        let Some(Some(function)) = self.functions.get_mut(id.0 as usize) else {
            return;
        };
        let memory = &mut self.memory;
        match event {
            Event::IdleGone(count) => {
                let gone = function
                    .idle
                    .drain(..(count as usize).min(function.idle.len()));
                memory.free(gone.map(|idle| idle.bytes).sum());
            }
            Event::ParkedGone(count) => {
                let count = count.min(function.parked);
                function.parked -= count;
                // Not at once again: what failed would fail again.
                function.stamps.unparked = Some(now);
                memory.free(function.parked_bytes * u64::from(count));
            }
            Event::ParkedMore(count) => {
                if function.parked == 0 {
                    function.parked_bytes = function.clone_size(&self.policy);
                }
                function.parked += count;
                memory.take(function.parked_bytes * u64::from(count));
            }
            Event::TemplateReady { backing, bytes } => {
                let asked = match function.template {
                    Template::Changing { to, .. } => to,
                    _ => backing,
                };
                memory.free(function.template.bytes());
                memory.take(bytes);
                if asked == Backing::Mapped && backing == Backing::Local {
                    // It could not be had: it would save nothing.
                    function.template_bytes.mapped = Some(bytes);
                }
                match backing {
                    Backing::Local => function.template_bytes.local = Some(bytes),
                    Backing::Mapped => function.template_bytes.mapped = Some(bytes),
                }
                function.template = Template::Ready { backing, bytes };
                function.missed = 0;
            }
            Event::TemplateGone => {
                memory.free(function.template.bytes());
                function.template = Template::None;
                function.stamps.template = Some(now);
            }
            Event::SeedGone => {
                self.image_bytes -= function.seed.image_bytes().unwrap_or(0);
                let invocations = function.invocations;
                function
                    .seed
                    .drop_image(invocations, self.policy.seed_after);
                self.unindex(id);
            }
        }
        self.touch(now, id);
    }

    /// A function's template was at hand before the node began again, and it has not been called since: it gets a template
    /// that costs little, and nothing that waits for its call.
    pub fn recall(&mut self, now: Time, id: FunctionId) {
        if let Some(Some(function)) = self.functions.get_mut(id.0 as usize) {
            function.is_recalled = true;
            self.touch(now, id);
        }
    }

    /// Whether a function's template is still to be made again, or has been and nobody has called since.
    pub fn is_recalled(&self, id: FunctionId) -> bool {
        let function = self.functions.get(id.0 as usize).and_then(Option::as_ref);
        function.is_some_and(Function::only_recalled)
    }

    /// When a function was last called; none if it never was, or is not known.
    pub fn last_start(&self, id: FunctionId) -> Option<Time> {
        self.functions.get(id.0 as usize)?.as_ref()?.last_start
    }

    /// A seed's image is on disk, made for the first time or anew.
    pub fn seed_ready(&mut self, now: Time, seed: &SeedOf, image_bytes: u64) {
        match seed {
            SeedOf::Runtime(name) => {
                let number = self.runtime(name);
                self.runtimes[number as usize].seed.ready(now, image_bytes);
                self.touch_runtime(now, number);
            }
            SeedOf::Function(id) => {
                self.end_making(now, *id);
                self.unindex(*id);
                let Some(Some(function)) = self.functions.get_mut(id.0 as usize) else {
                    return;
                };
                self.memory.free(std::mem::take(&mut function.seed_bytes));
                self.image_bytes -= function.seed.image_bytes().unwrap_or(0);
                self.image_bytes += image_bytes;
                function.is_stale = function.template != Template::None;
                // The next start would be from the image: better from a template.
                let unused_us = now.since(function.last_start.unwrap_or(function.added));
                function.missed = u32::from(unused_us < self.policy.template_idle_us);
                function.seed.ready(now, image_bytes);
                self.touch(now, *id);
            }
        }
    }

    /// A seed could not be made, or not made anew. The next attempt comes after more invocations.
    pub fn seed_failed(&mut self, now: Time, seed: &SeedOf) {
        let after = self.policy.seed_after;
        match seed {
            SeedOf::Runtime(name) => {
                let number = self.runtime(name);
                let runtime = &mut self.runtimes[number as usize];
                runtime.seed.failed(runtime.starts, after);
            }
            SeedOf::Function(id) => {
                self.end_making(now, *id);
                let Some(Some(function)) = self.functions.get_mut(id.0 as usize) else {
                    return;
                };
                self.memory.free(std::mem::take(&mut function.seed_bytes));
                function.seed.failed(function.invocations, after);
                self.touch(now, *id);
            }
        }
    }

    fn end_making(&mut self, now: Time, id: FunctionId) {
        self.seeds_in_making.remove(&id);
        if !self.hoping.is_empty() {
            self.hopes_due = Some(now);
        }
    }

    /// When `decide` has something to do if nothing is told until then; none if never. Nothing needs to poll:
    /// after each call that tells something, this is the time to sleep until.
    pub fn next_due(&self) -> Option<Time> {
        let dirty = self
            .dirty_since
            .map(|since| since.after(self.policy.coalesce_us));
        let due = self.due.first().map(|(due, _)| *due);
        let capped = self.cap_us.and_then(|cap| {
            let (since, _) = self.idle_since.first()?;
            Some(since.after(cap))
        });
        let ghosts = self.ghosts.due(&self.policy);
        let runtimes = self.runtimes.iter();
        let rotation = runtimes.filter_map(|it| it.due(&self.policy)).min();
        dirty
            .into_iter()
            .chain(due)
            .chain(capped)
            .chain(ghosts)
            .chain(rotation)
            .chain(self.hopes_due)
            .min()
    }

    /// Marks a function as changed: the next `decide` looks at it.
    pub(crate) fn touch(&mut self, now: Time, id: FunctionId) {
        let Some(Some(function)) = self.functions.get_mut(id.0 as usize) else {
            return;
        };
        if !function.is_dirty {
            function.is_dirty = true;
            self.dirty.push(id);
        }
        if !function.is_unindexed {
            function.is_unindexed = true;
            self.unindexed.push(id);
        }
        self.dirty_since.get_or_insert(now);
    }

    pub(crate) fn get(&self, id: FunctionId) -> Option<&Function> {
        self.functions.get(id.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: FunctionId) -> Option<&mut Function> {
        self.functions.get_mut(id.0 as usize)?.as_mut()
    }

    pub(crate) fn take(&mut self, id: FunctionId) -> Option<Function> {
        self.functions.get_mut(id.0 as usize)?.take()
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.memory.level() >= Pressure::High
    }

    /// Lets `with` act on a function, and finds its places in the ordered sets anew.
    pub(crate) fn with_review<T>(
        &mut self,
        now: Time,
        id: FunctionId,
        out: &mut Vec<Action>,
        with: impl FnOnce(&mut Review<'_>, &mut Function) -> T,
    ) -> Option<T> {
        self.unindex(id);
        let mut function = self.take(id)?;
        let level1 = self.has_level1(&function);
        let mut review = Review {
            now,
            id,
            policy: &self.policy,
            level: self.memory.level(),
            memory: &mut self.memory,
            cap_us: self.cap_us,
            level1,
            out,
        };
        let result = with(&mut review, &mut function);
        let due = review.due(&function);
        self.index(now, id, &mut function, due, level1);
        self.functions[id.0 as usize] = Some(function);
        Some(result)
    }

    fn index(
        &mut self,
        now: Time,
        id: FunctionId,
        function: &mut Function,
        due: Option<Time>,
        level1: bool,
    ) {
        let policy = &self.policy;
        let last = function.last_start.unwrap_or(function.added);
        let has_image = function.seed.image_bytes().is_some();
        let idle_seed = has_image.then(|| last.after(policy.seed_idle_us));
        let due = [due, function.seed.due(policy), idle_seed]
            .into_iter()
            .flatten()
            .min();
        // What could not be done although it is due waits, so that the clock does not spin.
        let due = due.map(|due| {
            if due <= now {
                now.after(policy.hysteresis_us.max(SECOND_US))
            } else {
                due
            }
        });
        let keys = Keys {
            due,
            idle_since: function.idle.front().map(|idle| idle.since),
            candidates: reclaim::candidates(id, function, level1, policy),
            spare_bytes: function.spare_bytes(),
            image: has_image.then(|| {
                (
                    function.template != Template::None,
                    (function.rate.order() * 1e6) as i64,
                )
            }),
        };
        self.spare_bytes += keys.spare_bytes;
        self.due.extend(keys.due.map(|due| (due, id)));
        self.idle_since
            .extend(keys.idle_since.map(|since| (since, id)));
        self.images
            .extend(keys.image.map(|(used, order)| (used, order, id)));
        keys.candidates
            .iter()
            .flatten()
            .for_each(|candidate| self.candidates.insert(candidate));
        function.keys = keys;
        function.is_unindexed = false;
    }

    /// Finds the places of functions that have changed since the last decision.
    pub(crate) fn index_changed(&mut self, now: Time) {
        for id in std::mem::take(&mut self.unindexed) {
            if self.get(id).is_some_and(|function| function.is_unindexed) {
                self.with_review(now, id, &mut Vec::new(), |_, _| {});
            }
        }
    }

    pub(crate) fn unindex(&mut self, id: FunctionId) {
        let Some(function) = self.get_mut(id) else {
            return;
        };
        let keys = std::mem::take(&mut function.keys);
        self.spare_bytes -= keys.spare_bytes;
        if let Some(due) = keys.due {
            self.due.remove(&(due, id));
        }
        if let Some(since) = keys.idle_since {
            self.idle_since.remove(&(since, id));
        }
        if let Some((used, order)) = keys.image {
            self.images.remove(&(used, order, id));
        }
        keys.candidates
            .iter()
            .flatten()
            .for_each(|candidate| self.candidates.remove(candidate));
    }

    /// An action that concerns no function.
    pub(crate) fn node_action(now: Time, deed: Deed, reason: Reason) -> Action {
        Action {
            at: now,
            deed,
            reason,
        }
    }
}
