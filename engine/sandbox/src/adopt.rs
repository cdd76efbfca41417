//! A sandbox whose program was not started here.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::launcher::Shared;
use crate::pool::Occupied;
use crate::sandbox::{Facts, Sandbox};
use crate::stage::micros;
use crate::witness::Witness;

/// A process that has joined a sandbox, or is about to.
#[derive(Debug)]
pub struct Adopted {
    /// The sandbox's name from now on, for logs.
    pub id: String,
    /// Its process id, as the host sees it.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    /// Memory that it has had since before it joined, in bytes: its groups are not charged for it.
    pub uncharged_bytes: u64,
    /// How long it took until it was there.
    pub took: Duration,
}

pub(crate) fn adopt(
    shared: &Arc<Shared>,
    occupied: Occupied,
    adopted: Adopted,
) -> io::Result<Sandbox> {
    let init = occupied.shell.remains.pidfd.as_ref();
    let init = init.ok_or_else(|| io::Error::from(Errno::SRCH))?;
    let witness = Witness::watcher(adopted.pidfd, Arc::clone(init))?;
    let facts = Facts {
        stages_us: Vec::new(),
        total_us: micros(adopted.took),
    };
    let occupied = occupied.with_uncharged(shared.uncharged.count(adopted.uncharged_bytes));
    let program = (adopted.pid, witness);
    Ok(Sandbox::new(
        shared, adopted.id, occupied, program, None, facts,
    ))
}
