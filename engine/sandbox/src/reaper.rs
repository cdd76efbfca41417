//! Removing what a sandbox leaves on the host: processes, control groups, link, numbers.
//!
//! One task receives [`Job`]s, and runs each as a task of its own, so that neither a dropped
//! sandbox nor a cancelled destruction stays undone. It waits for events, and with a timer only
//! while a removal is being retried.

use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offshoot_sys::polled::PolledFd;
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::cgroup::Group;
use crate::error::{CgroupError, DestroyError};
use crate::net::{Link, Network};
use crate::pool::{Entry, State};
use crate::slots::Slot;

/// How long to wait for processes to end after `SIGKILL`.
const DEATH_LIMIT: Duration = Duration::from_secs(10);
/// How long to retry the removal of control groups.
const REMOVAL_LIMIT: Duration = Duration::from_secs(2);

/// Who waits for a removal.
type Reply = Option<oneshot::Sender<Result<(), DestroyError>>>;

/// Work for the reaper: what to remove, and whom to tell.
#[derive(Debug)]
pub(crate) struct Job(Box<Estate>, Reply);

/// Everything of one sandbox that has to be removed.
#[derive(Debug)]
pub(crate) struct Estate {
    id: String,
    group: Option<Group>,
    pidfd: Option<Arc<OwnedFd>>,
    link: Option<Link>,
    entry: Option<Entry>,
    slot: Slot,
}

/// What remains to be removed; hands itself to the reaper when dropped.
#[derive(Debug)]
pub(crate) struct Remains {
    id: String,
    pub(crate) group: Option<Group>,
    pub(crate) pidfd: Option<Arc<OwnedFd>>,
    pub(crate) link: Option<Link>,
    pub(crate) entry: Option<Entry>,
    slot: Option<Slot>,
    reaper: mpsc::UnboundedSender<Job>,
}

impl Remains {
    pub(crate) fn new(id: &str, slot: Slot, reaper: mpsc::UnboundedSender<Job>) -> Self {
        Self {
            id: id.to_owned(),
            group: None,
            pidfd: None,
            link: None,
            entry: None,
            slot: Some(slot),
            reaper,
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn slot_number(&self) -> u32 {
        self.slot.as_ref().map_or(0, Slot::number)
    }

    /// Kills every process.
    pub(crate) fn kill(&self) {
        kill(self.pidfd.as_ref(), self.group.as_ref());
    }

    /// Has everything removed, and waits.
    pub(crate) async fn destroy(mut self) -> Result<(), DestroyError> {
        let (done, result) = oneshot::channel();
        let gone = DestroyError::LauncherGone {
            id: self.id.clone(),
        };
        self.hand_over(Some(done));
        result.await.unwrap_or(Err(gone))
    }

    fn hand_over(&mut self, done: Reply) {
        let Some(slot) = self.slot.take() else { return };
        let estate = Estate {
            id: std::mem::take(&mut self.id),
            group: self.group.take(),
            pidfd: self.pidfd.take(),
            link: self.link.take(),
            entry: self.entry.take(),
            slot,
        };
        if let Some(entry) = &estate.entry {
            entry.set(State::Dirty);
        }
        if let Err(unsent) = self.reaper.send(Job(Box::new(estate), done)) {
            // The runtime has ended: at least no process shall survive it.
            let Job(estate, _) = unsent.0;
            kill(estate.pidfd.as_ref(), estate.group.as_ref());
        }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        self.hand_over(None);
    }
}

fn kill(pidfd: Option<&Arc<OwnedFd>>, group: Option<&Group>) {
    // Init's death ends its PID namespace; the group also has who is on the way into it.
    match pidfd {
        Some(pidfd) => {
            let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
        }
        None => {
            let _ = group.map(Group::kill);
        }
    }
}

/// The reaper's task: ends when nobody is left who could send a job and all are done.
pub(crate) async fn run(
    mut jobs: mpsc::UnboundedReceiver<Job>,
    network: Arc<Network>,
    done: oneshot::Sender<()>,
) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(Job(estate, reply)) => {
                    running.spawn(remove(*estate, Arc::clone(&network), reply));
                }
                None => break,
            },
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
    let _ = done.send(());
}

async fn remove(estate: Estate, network: Arc<Network>, reply: Reply) {
    let id = estate.id.clone();
    let result = settle(estate, &network).await;
    if let Err(error) = &result {
        tracing::error!(
            sandbox = id,
            error = error as &dyn std::error::Error,
            "removal failed"
        );
    }
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}

async fn settle(estate: Estate, network: &Network) -> Result<(), DestroyError> {
    let Estate {
        id,
        group,
        pidfd,
        link,
        entry,
        slot,
    } = estate;
    kill(pidfd.as_ref(), group.as_ref());
    // The uid and the link's address stay taken unless everything that bears them is gone.
    let slot = ManuallyDrop::new(slot);
    if let Some(pidfd) = pidfd {
        wait_for_death(&id, &pidfd).await?;
    }
    let disconnected = match link {
        Some(link) => network.disconnect(link).await,
        None => Ok(()),
    };
    if let Some(group) = group {
        remove_group(&id, group).await?;
    }
    disconnected.map_err(|source| DestroyError::Network { id, source })?;
    drop(entry);
    drop(ManuallyDrop::into_inner(slot));
    Ok(())
}

/// Waits until a process has ended.
pub(crate) async fn wait_for_death(id: &str, pidfd: &OwnedFd) -> Result<(), DestroyError> {
    let still_alive = || DestroyError::StillAlive {
        id: id.to_owned(),
        waited_ms: u64::try_from(DEATH_LIMIT.as_millis()).unwrap_or(u64::MAX),
    };
    let ended = async {
        let polled = PolledFd::new(pidfd.try_clone()?, Interest::READABLE)?;
        polled.readable().await
    };
    match tokio::time::timeout(DEATH_LIMIT, ended).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(still_alive()),
    }
}

async fn remove_group(id: &str, group: Group) -> Result<(), DestroyError> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(500);
    let mut group = group;
    loop {
        let tried = tokio::task::spawn_blocking(move || {
            let result = group.try_remove();
            (group, result)
        });
        let Ok((back, result)) = tried.await else {
            return Err(DestroyError::LauncherGone { id: id.to_owned() });
        };
        match result {
            Ok(()) => return Ok(()),
            Err(error) if !is_busy(&error) || started.elapsed() > REMOVAL_LIMIT => {
                return Err(DestroyError::Cgroup {
                    id: id.to_owned(),
                    source: error,
                });
            }
            Err(_) => {
                // A process may have been cloned into it after the kill.
                let _ = back.kill();
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(100));
                group = back;
            }
        }
    }
}

fn is_busy(error: &CgroupError) -> bool {
    matches!(error, CgroupError::Io { source, .. } if source.kind() == std::io::ErrorKind::ResourceBusy)
}
