//! Who is there: what an operator asks about sandboxes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::states::Shell;
use crate::spec::Account;

/// The state of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It waits, empty.
    Ghost,
    /// It is a function's, and nothing runs in it yet.
    Taken,
    /// A program runs in it.
    Occupied,
    /// Its program is over, and it is being made like new, or removed.
    Dirty,
}

impl State {
    /// Its name, for people and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ghost => "ghost",
            Self::Taken => "taken",
            Self::Occupied => "occupied",
            Self::Dirty => "dirty",
        }
    }
}

/// A sandbox as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SandboxInfo {
    /// The name of its control groups.
    pub id: String,
    /// Its state.
    pub state: State,
    /// The identifier of the program's spec, while it is somebody's.
    pub holder: Option<String>,
    /// Its init's PID on the host.
    pub pid: i32,
    /// The uid of its programs.
    pub uid: u32,
    /// Whether it has a link to the outside.
    pub egress: bool,
    /// Whose programs have run in it.
    pub account: Option<Account>,
    /// How many.
    pub uses: u32,
    /// Its memory limit, if one was set.
    pub memory_bytes: Option<u64>,
    /// The size of its `/tmp`.
    pub tmp_bytes: u64,
}

/// All sandboxes of a launcher, from the moment at which they are made to their removal.
#[derive(Debug, Default)]
pub(crate) struct Roster(Mutex<BTreeMap<String, SandboxInfo>>);

/// A sandbox's place on the roster; it is struck off when this is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    id: String,
    roster: Arc<Roster>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.roster.lock().remove(&self.id);
    }
}

impl Roster {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SandboxInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn list(&self) -> Vec<SandboxInfo> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<SandboxInfo> {
        self.lock().get(id).cloned()
    }
}

impl Entry {
    /// A place that is empty until [`Entry::write`].
    pub(crate) fn new(roster: &Arc<Roster>, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            roster: Arc::clone(roster),
        }
    }

    /// Notes what a sandbox is now.
    pub(crate) fn write(&self, shell: &Shell, state: State, holder: Option<&str>) {
        let info = SandboxInfo {
            id: self.id.clone(),
            state,
            holder: holder.map(str::to_owned),
            pid: shell.pid,
            uid: shell.uid,
            egress: shell.egress,
            account: shell.account.clone(),
            uses: shell.uses,
            memory_bytes: shell.settings.memory_bytes,
            tmp_bytes: shell.settings.tmp_bytes,
        };
        self.roster.lock().insert(self.id.clone(), info);
    }

    /// Notes another state of the same sandbox.
    pub(crate) fn set(&self, state: State) {
        if let Some(info) = self.roster.lock().get_mut(&self.id) {
            info.state = state;
        }
    }
}
