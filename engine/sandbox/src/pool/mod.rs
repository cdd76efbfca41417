//! Ghost sandboxes: made ahead, taken in microseconds, and made like new after use.
//!
//! ```text
//!            fill                take                occupied           end
//! (nothing) ─────────> Ghost ─────────────> Taken ─────────────> Occupied ─────> Dirty
//!                        ^    limits, code          a process joins       kill     │
//!                        │                                                         │ repurpose
//!                        └──────── holder, namespaces, mounts anew ────────────────┤
//!                                  groups and network kept if proven clean         │
//!                                                               Destroyed <────────┘
//! ```
//!
//! Each state is a type ([`Ghost`], [`Taken`], [`Occupied`], [`Dirty`]); a transition consumes the value, so that one task
//! has a sandbox at a time. Who moves them: the [filler](fill) makes ghosts, a [`Hand`]'s thread takes, the caller
//! occupies and ends, and one task for each [repurposes](repurpose). A value that is dropped in any state is destroyed by
//! the reaper.
//!
//! **What a tenant could write to is made anew**: its processes' PID namespace, mounts with all tmpfs, IPC and host name.
//! **What it could not, or what can be proven clean, is kept**: the control groups, whose counters are reset and
//! read, the uid, and the network namespace, if [everything that it shows](crate::build) equals, byte for byte, what an
//! unused one shows. Those are what costs: a network namespace and a group are each dearer than all the rest.
//!
//! A used ghost serves its own account only ([`shelf`]).
//!
//! Other kinds of sandbox (a microVM that was booted) have the same states; what differs is [`Join`].

pub(crate) mod build;
mod fill;
mod hand;
mod hands;
mod listen;
mod repurpose;
mod roster;
mod shelf;
mod states;
mod stats;
mod take;
mod uncharged;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub(crate) use fill::Filler;
pub use hand::Hand;
pub(crate) use hands::Hands;
pub(crate) use listen::listen_in;
pub(crate) use roster::{Entry, Roster};
pub use roster::{SandboxInfo, State};
pub(crate) use shelf::Depth;
use shelf::{Shelf, Shelved};
pub use states::{Dirty, Ghost, Join, Occupied, PeakMemory, Taken};
pub(crate) use stats::Stats;
pub use stats::{PoolStats, Reason};
pub(crate) use take::Wanted;
pub(crate) use uncharged::AllUncharged;

use crate::spec::Account;

/// The ghosts of a launcher.
#[derive(Debug)]
pub(crate) struct Pool {
    shelf: Mutex<Shelf<Ghost>>,
    /// That the filler may have something to do.
    changed: Notify,
}

impl Shelved for Ghost {
    fn account(&self) -> Option<&Account> {
        self.0.account.as_ref()
    }
    fn egress(&self) -> bool {
        self.0.egress
    }
}

impl Pool {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            shelf: Mutex::new(Shelf::new(depth)),
            changed: Notify::new(),
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<Ghost>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ghost that this account may have.
    pub(crate) fn pop(&self, account: &Account, egress: bool) -> Option<Ghost> {
        let ghost = self.shelf().take(account, egress);
        // The filler replaces unused ones only; to wake it for the others would cost the taker a system call, and a processor.
        if ghost.as_ref().is_none_or(|ghost| ghost.account().is_none()) {
            self.changed.notify_one();
        }
        ghost
    }

    /// Puts a ghost away; gives one back that must be destroyed instead.
    pub(crate) fn put(&self, ghost: Ghost) -> Option<Ghost> {
        ghost.note();
        self.shelf().put(ghost)
    }

    /// Has no more ghosts, now and in future.
    pub(crate) fn close(&self) {
        let ghosts = self.shelf().close();
        self.changed.notify_one();
        drop(ghosts);
    }

    /// Destroys all ghosts that wait; how many there were. New ones are made.
    pub(crate) fn drain(&self) -> usize {
        let ghosts = self.shelf().drain();
        self.changed.notify_one();
        ghosts.len()
    }

    /// Whether a ghost of this kind would be kept.
    pub(crate) fn keeps(&self, egress: bool) -> bool {
        self.shelf().keeps(egress)
    }

    pub(crate) fn len(&self) -> usize {
        self.shelf().len()
    }
}
