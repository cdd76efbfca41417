//! Instances that several events are in at once, and those that will be.
//!
//! ```text
//! begin ──join──> more events, up to the concurrency ──leave──> ... the last one: idle, or gone
//! ```
//!
//! An event has a [`Seat`] in such an instance. What the core counts of the instance, its [`Hold`], is kept here until the last event
//! leaves.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use offshoot_decide::{FunctionId, Hold};
use tokio_util::sync::CancellationToken;

/// An event's place in an instance that it may not have for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Seat(u64);

/// All instances of functions whose instances have several events, while they have any.
#[derive(Debug)]
pub(crate) struct Shares<I> {
    at_work: HashMap<Seat, AtWork<I>>,
    /// Those that take more events, by version; the one that began first in front.
    open: HashMap<FunctionId, Vec<Seat>>,
    making: HashMap<FunctionId, Vec<Making>>,
    next: u64,
}

#[derive(Debug)]
struct AtWork<I> {
    id: FunctionId,
    /// A share of its own, of which the events' are made.
    instance: I,
    /// Memory of its own, as it was last measured.
    bytes: u64,
    hold: Option<Hold>,
    events: u32,
    most: u32,
    /// It takes no more events.
    is_closed: bool,
    /// It ends with the last one.
    ends: bool,
}

/// An instance that is being made for an event, and has room for others.
#[derive(Debug)]
struct Making {
    number: u64,
    room: u32,
    done: CancellationToken,
}

/// What is left behind by an event.
#[derive(Debug, PartialEq)]
pub(crate) enum Left<I> {
    /// Other events.
    Others,
    /// Nobody.
    Nobody(Vacant<I>),
}

/// An instance without events.
#[derive(Debug)]
pub(crate) struct Vacant<I> {
    pub(crate) id: FunctionId,
    pub(crate) instance: I,
    pub(crate) bytes: u64,
    pub(crate) hold: Option<Hold>,
    /// Whether it has ended by itself.
    pub(crate) ends: bool,
}

impl<I: PartialEq> PartialEq for Vacant<I> {
    fn eq(&self, other: &Self) -> bool {
        (self.id, &self.instance, self.ends) == (other.id, &other.instance, other.ends)
    }
}

/// What an event does that finds no instance.
#[derive(Debug)]
pub(crate) enum Need {
    /// It waits for one that is being made.
    Wait(CancellationToken),
    /// It has one made; whoever waits for that is woken by [`Shares::made`].
    Make(u64),
}

impl<I> Default for Shares<I> {
    fn default() -> Self {
        Self {
            at_work: HashMap::new(),
            open: HashMap::new(),
            making: HashMap::new(),
            next: 0,
        }
    }
}

impl<I> Shares<I> {
    /// An instance begins its work with one event, of at most so many.
    pub(crate) fn begin(
        &mut self,
        id: FunctionId,
        instance: I,
        bytes: u64,
        hold: Option<Hold>,
        most: u32,
    ) -> Seat {
        let seat = Seat(self.next());
        let at_work = AtWork {
            id,
            instance,
            bytes,
            hold,
            events: 1,
            most,
            is_closed: false,
            ends: false,
        };
        self.at_work.insert(seat, at_work);
        if most > 1 {
            self.open.entry(id).or_default().push(seat);
        }
        seat
    }

    /// The instance of a version that takes another event, of those the one that began first. Those that are not alive take no more.
    pub(crate) fn with_room(
        &mut self,
        id: FunctionId,
        is_alive: impl Fn(&I) -> bool,
    ) -> Option<Seat> {
        while let Some(seat) = self.open.get(&id)?.first().copied() {
            if self
                .at_work
                .get(&seat)
                .is_some_and(|at| is_alive(&at.instance))
            {
                return Some(seat);
            }
            self.close(seat, true);
        }
        None
    }

    /// Another event joins an instance that has room: a share for it, made by `share`, and the instance's size.
    pub(crate) fn join(&mut self, seat: Seat, share: impl FnOnce(I) -> (I, I)) -> Option<(I, u64)> {
        let mut at_work = self.at_work.remove(&seat)?;
        let (kept, given) = share(at_work.instance);
        at_work.instance = kept;
        at_work.events += 1;
        let (is_full, bytes) = (at_work.events >= at_work.most, at_work.bytes);
        self.at_work.insert(seat, at_work);
        if is_full {
            self.close(seat, false);
        }
        Some((given, bytes))
    }

    /// The instance was measured.
    pub(crate) fn measured(&mut self, seat: Seat, bytes: u64) {
        if let Some(at_work) = self.at_work.get_mut(&seat) {
            at_work.bytes = bytes;
        }
    }

    /// An event leaves; `ends` if the instance takes no more events. None only of a seat that has been left by all.
    pub(crate) fn leave(&mut self, seat: Seat, ends: bool) -> Option<Left<I>> {
        if ends {
            self.close(seat, true);
        }
        let at_work = self.at_work.get_mut(&seat)?;
        at_work.events -= 1;
        if at_work.events > 0 {
            let was_full = at_work.events + 1 == at_work.most;
            if was_full && !at_work.is_closed {
                self.open.entry(at_work.id).or_default().push(seat);
            }
            return Some(Left::Others);
        }
        self.close(seat, false);
        let at_work = self.at_work.remove(&seat)?;
        Some(Left::Nobody(Vacant {
            id: at_work.id,
            instance: at_work.instance,
            bytes: at_work.bytes,
            hold: at_work.hold,
            ends: at_work.ends,
        }))
    }

    /// The version has changed or gone: no event joins its instances, and nobody waits for those that are being made.
    pub(crate) fn forget(&mut self, id: FunctionId) {
        self.open.remove(&id);
        let of_version = self.at_work.values_mut().filter(|at| at.id == id);
        of_version.for_each(|at_work| at_work.is_closed = true);
        for making in self.making.remove(&id).unwrap_or_default() {
            making.done.cancel();
        }
    }

    /// An event of a version found no instance: it waits for one that is being made, if it `may` and that has room for it, and else has one made
    /// that will have room for `most`.
    pub(crate) fn need(&mut self, id: FunctionId, most: u32, may_wait: bool) -> Need {
        let makings = self.making.entry(id).or_default();
        let with_room = makings.iter_mut().find(|making| making.room > 0);
        if let Some(making) = with_room.filter(|_| may_wait) {
            making.room -= 1;
            return Need::Wait(making.done.clone());
        }
        self.next += 1;
        makings.push(Making {
            number: self.next,
            room: most.saturating_sub(1),
            done: CancellationToken::new(),
        });
        Need::Make(self.next)
    }

    /// An instance was made, or could not be: who waits for it looks again.
    pub(crate) fn made(&mut self, id: FunctionId, number: u64) {
        let Some(makings) = self.making.get_mut(&id) else {
            return;
        };
        let at = makings.iter().position(|making| making.number == number);
        if let Some(at) = at {
            makings.swap_remove(at).done.cancel();
        }
        if makings.is_empty() {
            self.making.remove(&id);
        }
    }

    fn close(&mut self, seat: Seat, ends: bool) {
        let Some(at_work) = self.at_work.get_mut(&seat) else {
            return;
        };
        at_work.ends |= ends;
        at_work.is_closed |= ends;
        if let Some(open) = self.open.get_mut(&at_work.id) {
            open.retain(|one| *one != seat);
            if open.is_empty() {
                self.open.remove(&at_work.id);
            }
        }
    }

    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
