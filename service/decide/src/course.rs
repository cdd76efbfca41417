//! The course of an event: admitted, started, ended.

use crate::action::Action;
use crate::admission::{Place, Refusal};
use crate::core::Core;
use crate::event::FunctionId;
use crate::function::{Idle, Template};
use crate::reclaim::Wanted;
use crate::rung::{Backing, Rung};
use crate::time::Time;

/// An event that was admitted: given back by [`Core::ended`], exactly once. It holds a place under the
/// concurrency limits, and memory for its instance.
#[derive(Debug)]
#[must_use = "the event's place is held until `Core::ended`"]
pub struct Ticket {
    function: FunctionId,
    place: Place,
    rung: Rung,
    /// The rung that the instance was first started from.
    born: Rung,
    bytes: u64,
}

impl Ticket {
    /// The rung to try first. It is this event's: the core counts the instance as taken.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// The function.
    pub fn function(&self) -> FunctionId {
        self.function
    }
}

/// How an event's instance was found in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The rung that it was started from.
    pub rung: Rung,
    /// From the arrival of the event until the instance had it, in microseconds.
    pub latency_us: u64,
    /// Memory of its own after its start, if it was measured. Worth it for starts that run an init, so that the
    /// next ones of a function of which none has ended yet are not underestimated.
    pub private_bytes: Option<u64>,
}

/// How an event ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its instance is idle now, and has so much memory of its own.
    Idle {
        /// Bytes that are not shared with a seed.
        private_bytes: u64,
    },
    /// Its instance was ended after the event, and had so much memory of its own.
    Retired {
        /// Bytes that are not shared with a seed.
        private_bytes: u64,
    },
    /// Its instance has ended.
    Gone,
    /// No instance ever had it.
    NotStarted,
}

impl Core {
    /// Lets an event in and says from which rung to start. If memory is short for it, `actions` say what to end
    /// before; only in that case does the cost depend on the number of functions, by a logarithm.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the answer is 429, by whatever limit it names.
    pub fn admit(
        &mut self,
        now: Time,
        id: FunctionId,
        actions: &mut Vec<Action>,
    ) -> Result<Ticket, Refusal> {
        let place = self.take_place(now, id)?;
        self.guess_size(id);
        let Some(function) = self.get(id) else {
            return Err(Refusal::Unknown);
        };
        let rung = function.rung(self.has_level1(function.runtime));
        let needed = function.needed_bytes(rung, &self.policy);
        if let Err(refusal) = self.make_room(now, id, needed, actions) {
            self.admission.give_back(place);
            return Err(refusal);
        }
        let mut ticket = Ticket {
            function: id,
            place,
            rung,
            born: rung,
            bytes: 0,
        };
        self.charge(&mut ticket, rung);
        self.note_arrival(now, id);
        self.touch(now, id);
        Ok(ticket)
    }

    /// Tells how the event's instance was found.
    pub fn started(&mut self, now: Time, ticket: &mut Ticket, started: Started) {
        let Started {
            rung,
            latency_us,
            private_bytes,
        } = started;
        if rung != ticket.rung {
            self.memory.free(ticket.bytes);
            self.charge(ticket, rung);
        }
        let Some(Some(function)) = self.functions.get_mut(ticket.function.0 as usize) else {
            return;
        };
        function.latency.get_mut(rung).record(latency_us);
        if let Some(bytes) = private_bytes {
            self.memory
                .free(std::mem::replace(&mut ticket.bytes, bytes));
            self.memory.take(bytes);
            self.first_sizes.learn(function, ticket.born, bytes);
            function.learn_bytes(ticket.born, bytes);
        }
        let misses = rung > Rung::Clone && function.template == Template::None;
        if misses && function.seed.image_bytes().is_some() {
            function.missed = function.missed.saturating_add(1);
        }
        if rung.is_clone() {
            function.seed.clones += 1;
        }
        if rung > Rung::Parked {
            self.ghosts.taken(now);
        }
        if rung >= Rung::Level1 {
            let runtime = function.runtime;
            self.note_runtime_start(runtime, rung);
        }
        self.touch(now, ticket.function);
    }

    /// Tells how an event ended.
    pub fn ended(&mut self, now: Time, ticket: Ticket, end: End) {
        let id = ticket.function;
        self.admission.give_back(ticket.place);
        let Some(Some(function)) = self.functions.get_mut(id.0 as usize) else {
            self.memory.free(ticket.bytes);
            return;
        };
        function.busy = function.busy.saturating_sub(1);
        if end != End::NotStarted {
            function.invocations += 1;
        }
        self.memory.free(ticket.bytes);
        match end {
            End::Idle {
                private_bytes: bytes,
            } => {
                self.memory.take(bytes);
                self.first_sizes.learn(function, ticket.born, bytes);
                function.learn_bytes(ticket.born, bytes);
                function.idle.push_back(Idle {
                    since: now,
                    bytes,
                    born: ticket.born,
                });
            }
            End::Retired { private_bytes } => function.learn_bytes(ticket.born, private_bytes),
            End::Gone | End::NotStarted => {}
        }
        self.touch(now, id);
    }

    fn take_place(&mut self, now: Time, id: FunctionId) -> Result<Place, Refusal> {
        let function = self.get(id).ok_or(Refusal::Unknown)?;
        let (account, group) = (function.account, function.group);
        self.admission.take(now, account, group)
    }

    fn make_room(
        &mut self,
        now: Time,
        id: FunctionId,
        needed_bytes: u64,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        if needed_bytes == 0 || self.memory.fits(needed_bytes) {
            return Ok(());
        }
        let wanted = Wanted {
            spare: Some(id),
            is_urgent: true,
            may_break: true,
        };
        let limit_bytes = self.memory.limit_bytes();
        self.index_changed(now);
        let fits = needed_bytes <= limit_bytes
            && self.can_spare(id, limit_bytes - needed_bytes)
            && self.reclaim(now, limit_bytes - needed_bytes, wanted, usize::MAX, actions);
        let used_bytes = self.memory.used_bytes();
        fits.then_some(()).ok_or(Refusal::Memory {
            needed_bytes,
            used_bytes,
            limit_bytes,
        })
    }

    /// Whether use could come down to `goal_bytes` if all but one function gave up what they can: nothing is given up
    /// in vain.
    pub(crate) fn can_spare(&self, but: FunctionId, goal_bytes: u64) -> bool {
        let own = self
            .get(but)
            .map_or(0, |function| function.keys.spare_bytes);
        self.memory.used_bytes() <= goal_bytes.saturating_add(self.spare_bytes - own)
    }

    /// A function of which no instance was measured is taken for what others turned out to be.
    pub(crate) fn guess_size(&mut self, id: FunctionId) {
        let first_sizes = self.first_sizes;
        if let Some(function) = self.get_mut(id) {
            let limit = function.spec.memory_bytes;
            function.guessed_bytes = limit.map(|limit| first_sizes.guess(limit));
        }
    }

    /// Counts an instance of a rung as taken by the event.
    fn charge(&mut self, ticket: &mut Ticket, rung: Rung) {
        let policy = &self.policy;
        ticket.rung = rung;
        ticket.born = rung;
        ticket.bytes = 0;
        let Some(Some(function)) = self.functions.get_mut(ticket.function.0 as usize) else {
            return;
        };
        match rung {
            // Already counted.
            Rung::Hot => {
                if let Some(idle) = function.idle.pop_back() {
                    (ticket.bytes, ticket.born) = (idle.bytes, idle.born);
                }
            }
            Rung::Parked => {
                if function.parked > 0 {
                    function.parked -= 1;
                    ticket.bytes = function.parked_bytes;
                }
            }
            Rung::Clone | Rung::Restore => {
                ticket.bytes = function.clone_size(policy);
                self.memory.take(ticket.bytes);
            }
            Rung::Level1 | Rung::Cold => {
                ticket.bytes = function.needed_bytes(rung, policy);
                self.memory.take(ticket.bytes);
            }
        }
        if rung == Rung::Restore && function.template == Template::None {
            let bytes = function.template_size(Backing::Local, policy);
            self.memory.take(bytes);
            function.template = Template::Making {
                backing: Backing::Local,
                bytes,
            };
        }
    }

    fn note_arrival(&mut self, now: Time, id: FunctionId) {
        let fade_us = self.policy.rate_fade_us;
        let Some(function) = self.get_mut(id) else {
            return;
        };
        function.busy += 1;
        function.peak.record(now, function.busy, fade_us);
        function.rate.record(now);
        if let Some(last) = function.last_start {
            function.gaps.record(now.since(last));
        }
        function.last_start = Some(function.last_start.map_or(now, |last| last.max(now)));
    }

    fn note_runtime_start(&mut self, number: u32, rung: Rung) {
        let runtime = &mut self.runtimes[number as usize];
        runtime.starts += 1;
        if rung == Rung::Level1 {
            runtime.seed.clones += 1;
        }
        if !self.dirty_runtimes.contains(&number) {
            self.dirty_runtimes.push(number);
        }
    }
}
