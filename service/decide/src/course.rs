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
    backing: Backing,
    /// None if another event of its instance has it.
    hold: Option<Hold>,
}

/// An instance at work, as it is counted: its memory, and the rung that it was first started from. One of the events that are in it
/// has it in its ticket, or whoever keeps the instance while they come and go.
#[derive(Debug)]
#[must_use = "the instance is counted until a ticket with its hold is ended"]
pub struct Hold {
    born: Rung,
    bytes: u64,
}

impl Ticket {
    /// The rung to try first. It is this event's: the core counts the instance as taken.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// Where the pages of a template live that is made for the event.
    pub fn backing(&self) -> Backing {
        self.backing
    }

    /// The function.
    pub fn function(&self) -> FunctionId {
        self.function
    }

    /// Takes its instance's hold, for whoever keeps the instance for several events; none if it has none.
    pub fn part_with_hold(&mut self) -> Option<Hold> {
        self.hold.take()
    }

    /// Gives it the hold of the instance that it is the last event of.
    pub fn bear(&mut self, hold: Hold) {
        debug_assert!(self.hold.is_none(), "an event has one instance");
        self.hold = Some(hold);
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
    /// Its instance goes on with other events.
    Shared,
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
        let rung = function.rung(self.has_level1(function));
        let backing = self.backing_now();
        let needed = function.needed_bytes(rung, backing, &self.policy);
        if let Err(refusal) = self.make_room(now, id, needed, actions) {
            self.admission.give_back(place);
            return Err(refusal);
        }
        let mut ticket = Ticket {
            function: id,
            place,
            rung,
            backing,
            hold: None,
        };
        self.charge(&mut ticket, rung);
        self.note_arrival(now, id);
        self.note_demand(now, id);
        self.touch(now, id);
        Ok(ticket)
    }

    /// Lets an event into an instance at work that has room for it: it takes a place under the limits, and no memory.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the answer is 429, by whatever limit it names.
    pub fn join(&mut self, now: Time, id: FunctionId) -> Result<Ticket, Refusal> {
        let place = self.take_place(now, id)?;
        self.note_arrival(now, id);
        self.touch(now, id);
        Ok(Ticket {
            function: id,
            place,
            rung: Rung::Hot,
            backing: Backing::Local,
            hold: None,
        })
    }

    /// Tells that an event that was admitted has found room in an instance at work, so long after it came: it needs none of its own.
    pub fn joined(&mut self, now: Time, ticket: &mut Ticket, latency_us: u64) {
        if let Some(hold) = ticket.hold.take() {
            self.memory.free(hold.bytes);
            if let Some(function) = self.get_mut(ticket.function) {
                function.busy = function.busy.saturating_sub(1);
            }
        }
        ticket.rung = Rung::Hot;
        if let Some(function) = self.get_mut(ticket.function) {
            function.latency.get_mut(Rung::Hot).record(latency_us);
        }
        self.touch(now, ticket.function);
    }

    /// Tells how the event's instance was found.
    pub fn started(&mut self, now: Time, ticket: &mut Ticket, started: Started) {
        let Started {
            rung,
            latency_us,
            private_bytes,
        } = started;
        let expected = ticket.rung;
        if ticket.hold.is_none() {
            // The instance that it was to share is gone: it has one of its own.
            self.note_demand(now, ticket.function);
            self.charge(ticket, rung);
        } else if rung != expected {
            self.charge(ticket, rung);
        }
        let Some(Some(function)) = self.functions.get_mut(ticket.function.0 as usize) else {
            return;
        };
        function.latency.get_mut(rung).record(latency_us);
        match (expected, rung) {
            // As of a module of its own in the place of one that the runtime has loaded.
            (Rung::Level1, Rung::Cold) => function.shuns_runtime = true,
            (_, Rung::Level1) => function.shuns_runtime = false,
            _ => {}
        }
        if let (Some(bytes), Some(hold)) = (private_bytes, &mut ticket.hold) {
            self.memory.free(std::mem::replace(&mut hold.bytes, bytes));
            self.memory.take(bytes);
            self.first_sizes.learn(function, hold.born, bytes);
            function.learn_bytes(hold.born, bytes);
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
        if rung >= Rung::Level1
            && let Some(runtime) = function.runtime
        {
            self.note_runtime_start(runtime, rung);
        }
        self.touch(now, ticket.function);
    }

    /// Tells how an event ended.
    pub fn ended(&mut self, now: Time, ticket: Ticket, end: End) {
        let id = ticket.function;
        self.admission.give_back(ticket.place);
        if let Some(hold) = &ticket.hold {
            self.memory.free(hold.bytes);
        }
        let Some(Some(function)) = self.functions.get_mut(id.0 as usize) else {
            return;
        };
        function.busy = function
            .busy
            .saturating_sub(u32::from(ticket.hold.is_some()));
        if end != End::NotStarted {
            function.invocations += 1;
        }
        // Whoever has no instance to give back has told of none.
        let born = ticket.hold.map(|hold| hold.born);
        match (end, born) {
            (
                End::Idle {
                    private_bytes: bytes,
                },
                Some(born),
            ) => {
                self.memory.take(bytes);
                self.first_sizes.learn(function, born, bytes);
                function.learn_bytes(born, bytes);
                function.idle.push_back(Idle {
                    since: now,
                    bytes,
                    born,
                });
            }
            (End::Retired { private_bytes }, Some(born)) => {
                function.learn_bytes(born, private_bytes);
            }
            _ => {}
        }
        self.touch(now, id);
    }

    fn take_place(&mut self, now: Time, id: FunctionId) -> Result<Place, Refusal> {
        let function = self.get(id).ok_or(Refusal::Unknown)?;
        let (account, group) = (function.account, function.group);
        self.admission.take(now, account, group)
    }

    /// Where the pages of a template live that a start makes now: mapped, it is there sooner, as nothing is copied
    /// while an event waits.
    fn backing_now(&self) -> Backing {
        if self.policy.may_map {
            Backing::Mapped
        } else {
            Backing::Local
        }
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
        if !fits && self.is_nobody_at_work() {
            // Nothing that ends would ever make room: what it is taken for may be a guess, and is more than there is.
            self.reclaim(now, 0, wanted, usize::MAX, actions);
            return Ok(());
        }
        let used_bytes = self.memory.used_bytes();
        fits.then_some(()).ok_or(Refusal::Memory {
            needed_bytes,
            used_bytes,
            limit_bytes,
        })
    }

    fn is_nobody_at_work(&self) -> bool {
        let mut functions = self.functions.iter().flatten();
        self.seeds_in_making.is_empty() && functions.all(|function| function.busy == 0)
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

    /// Counts an instance of a rung as taken by the event, instead of the one that it had.
    fn charge(&mut self, ticket: &mut Ticket, rung: Rung) {
        let policy = &self.policy;
        ticket.rung = rung;
        if let Some(before) = ticket.hold.take() {
            self.memory.free(before.bytes);
        }
        let hold = ticket.hold.insert(Hold {
            born: rung,
            bytes: 0,
        });
        let Some(Some(function)) = self.functions.get_mut(ticket.function.0 as usize) else {
            return;
        };
        match rung {
            // Already counted.
            Rung::Hot => {
                if let Some(idle) = function.idle.pop_back() {
                    (hold.bytes, hold.born) = (idle.bytes, idle.born);
                }
            }
            Rung::Parked => {
                if function.parked > 0 {
                    function.parked -= 1;
                    hold.bytes = function.parked_bytes;
                }
            }
            Rung::Clone | Rung::Restore => {
                hold.bytes = function.clone_size(policy);
                self.memory.take(hold.bytes);
            }
            Rung::Level1 | Rung::Cold => {
                hold.bytes = function.init_size(rung == Rung::Level1, policy);
                self.memory.take(hold.bytes);
            }
        }
        if rung == Rung::Restore && function.template == Template::None {
            let backing = ticket.backing;
            let bytes = function.template_size(backing, policy);
            self.memory.take(bytes);
            function.template = Template::Making { backing, bytes };
        }
    }

    /// Another instance is needed at once.
    fn note_demand(&mut self, now: Time, id: FunctionId) {
        let fade_us = self.policy.rate_fade_us;
        if let Some(function) = self.get_mut(id) {
            function.busy += 1;
            function.peak.record(now, function.busy, fade_us);
        }
    }

    fn note_arrival(&mut self, now: Time, id: FunctionId) {
        let Some(function) = self.get_mut(id) else {
            return;
        };
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
