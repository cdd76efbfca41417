//! Concurrency: how many events functions, accounts and all together may have in flight.
//!
//! Fair between accounts without a queue: an account below its share gets any free place; one above it only
//! while a part of the places, the headroom, stays free. So a flood takes what nobody else wants, and as its
//! events end their places go to those who are below their share. The share is that of accounts that have
//! events in flight or were refused within the last second.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use crate::time::{SECOND_US, Time};

/// Who was refused counts as wanting a share for so long.
const WANTING_US: u64 = SECOND_US;

/// Why an event is refused: 429, with the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the figures of the message")]
pub enum Refusal {
    /// The function was removed.
    #[error("the function is not known")]
    Unknown,
    /// The function's reserved concurrency is in use.
    #[error("{in_flight} events of the function are in flight, and {limit} are reserved")]
    Reserved { in_flight: u32, limit: u32 },
    /// All unreserved concurrency is in use.
    #[error("{in_flight} events are in flight, and {limit} may be")]
    Full { in_flight: u32, limit: u32 },
    /// The account is above its share, and others want theirs.
    #[error("{in_flight} events of the account are in flight, and its share is {share}")]
    Share { in_flight: u32, share: u32 },
    /// No memory can be had for another instance.
    #[error("an instance needs {needed_bytes} bytes; {used_bytes} of {limit_bytes} are in use")]
    Memory {
        needed_bytes: u64,
        used_bytes: u64,
        limit_bytes: u64,
    },
}

/// Counts the events in flight. Every call costs the same, however many functions and accounts there are.
#[derive(Debug)]
pub(crate) struct Admission {
    limit: u32,
    headroom_part: u32,
    /// Reserved by all functions together.
    set_apart: u32,
    unreserved: u32,
    accounts: Vec<Account>,
    by_name: HashMap<Arc<str>, u32>,
    /// Accounts that have events in flight, or want to.
    active: u32,
    refused: VecDeque<(Time, u32)>,
    groups: Vec<Group>,
    group_numbers: HashMap<Arc<str>, u32>,
}

/// Versions of one function, which share its reserved concurrency.
#[derive(Debug, Default)]
struct Group {
    /// Versions that are known.
    members: u32,
    /// Reserved events in flight, also of versions that have gone.
    in_flight: u32,
    limit: Option<u32>,
}

/// What an event holds of the concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// An unreserved one, of an account.
    Account(u32),
    /// One of those that are reserved for a group.
    Group(u32),
}

#[derive(Debug, Default)]
struct Account {
    in_flight: u32,
    /// Entries in `refused`.
    refused: u32,
}

impl Account {
    fn is_active(&self) -> bool {
        self.in_flight > 0 || self.refused > 0
    }
}

impl Admission {
    pub(crate) fn new(limit: u32, headroom_part: u32) -> Self {
        Self {
            limit,
            headroom_part: headroom_part.max(1),
            set_apart: 0,
            unreserved: 0,
            accounts: Vec::new(),
            by_name: HashMap::new(),
            active: 0,
            refused: VecDeque::new(),
            groups: Vec::new(),
            group_numbers: HashMap::new(),
        }
    }

    /// The number of an account, the same for each call with its name.
    pub(crate) fn account(&mut self, name: &Arc<str>) -> u32 {
        let next = self.accounts.len() as u32;
        let number = *self.by_name.entry(Arc::clone(name)).or_insert(next);
        if number == next {
            self.accounts.push(Account::default());
        }
        number
    }

    /// Another version joins its function's group, whose reservation is `limit` from now on: the group's number.
    pub(crate) fn join(&mut self, name: &Arc<str>, limit: Option<u32>) -> u32 {
        let next = self.groups.len() as u32;
        let number = *self.group_numbers.entry(Arc::clone(name)).or_insert(next);
        if number == next {
            self.groups.push(Group::default());
        }
        self.groups[number as usize].members += 1;
        self.reserve(number, limit);
        number
    }

    /// A version has gone; the last one takes the reservation with it.
    pub(crate) fn leave(&mut self, group: u32) {
        let members = &mut self.groups[group as usize].members;
        *members = members.saturating_sub(1);
        if *members == 0 {
            self.reserve(group, None);
        }
    }

    /// A group's reservation has changed.
    pub(crate) fn reserve(&mut self, group: u32, limit: Option<u32>) {
        let before = std::mem::replace(&mut self.groups[group as usize].limit, limit);
        let without = self.set_apart.saturating_sub(before.unwrap_or(0));
        self.set_apart = without.saturating_add(limit.unwrap_or(0));
    }

    /// Takes a place: a reserved one if the group has a reservation.
    pub(crate) fn take(&mut self, now: Time, account: u32, group: u32) -> Result<Place, Refusal> {
        let reserved = &mut self.groups[group as usize];
        let Some(limit) = reserved.limit else {
            return self.admit(now, account).map(|()| Place::Account(account));
        };
        let in_flight = reserved.in_flight;
        if in_flight >= limit {
            return Err(Refusal::Reserved { in_flight, limit });
        }
        reserved.in_flight += 1;
        Ok(Place::Group(group))
    }

    /// Gives a place back.
    pub(crate) fn give_back(&mut self, place: Place) {
        match place {
            Place::Account(account) => self.release(account),
            Place::Group(group) => {
                let in_flight = &mut self.groups[group as usize].in_flight;
                *in_flight = in_flight.saturating_sub(1);
            }
        }
    }

    /// Takes an unreserved place.
    fn admit(&mut self, now: Time, account: u32) -> Result<(), Refusal> {
        self.forget_refusals(now);
        self.check(account)
            .inspect_err(|_| self.note_refusal(now, account))?;
        self.unreserved += 1;
        self.change(account, |account| account.in_flight += 1);
        Ok(())
    }

    fn release(&mut self, account: u32) {
        self.unreserved = self.unreserved.saturating_sub(1);
        self.change(account, |account| {
            account.in_flight = account.in_flight.saturating_sub(1);
        });
    }

    fn check(&self, account: u32) -> Result<(), Refusal> {
        let limit = self.limit.saturating_sub(self.set_apart);
        let account = &self.accounts[account as usize];
        if self.unreserved >= limit {
            return Err(Refusal::Full {
                in_flight: self.unreserved,
                limit,
            });
        }
        let others = self.active - u32::from(account.is_active());
        let share = limit.div_ceil(others + 1);
        let headroom = (limit / self.headroom_part).max(1);
        let is_within = account.in_flight < share || self.unreserved + headroom < limit;
        if others == 0 || is_within {
            return Ok(());
        }
        Err(Refusal::Share {
            in_flight: account.in_flight,
            share,
        })
    }

    fn note_refusal(&mut self, now: Time, account: u32) {
        // One entry an account and time is enough, and bounds the list under a flood of refusals.
        if self.refused.back() == Some(&(now, account)) {
            return;
        }
        self.refused.push_back((now, account));
        self.change(account, |account| account.refused += 1);
    }

    fn forget_refusals(&mut self, now: Time) {
        while let Some((at, account)) = self.refused.front().copied() {
            if now.since(at) < WANTING_US {
                break;
            }
            self.refused.pop_front();
            self.change(account, |account| account.refused -= 1);
        }
    }

    fn change(&mut self, account: u32, change: impl FnOnce(&mut Account)) {
        let account = &mut self.accounts[account as usize];
        let before = account.is_active();
        change(account);
        match (before, account.is_active()) {
            (false, true) => self.active += 1,
            (true, false) => self.active -= 1,
            _ => {}
        }
    }
}
