//! Making a used sandbox a ghost again, off everybody's way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::build::{Parts, build};
use super::states::{Dirty, Ghost, Shell};
use super::stats::Reason;
use crate::cgroup::Trace;
use crate::error::CreateError;
use crate::launcher::Shared;
use crate::reaper::{self, Remains};

/// How long an emptied group may take to give back what was charged to it: the kernel frees a namespace's memory a
/// little after its last process.
const CHARGE_LIMIT: Duration = Duration::from_millis(100);
const CHARGE_PAUSE: Duration = Duration::from_millis(5);

/// What is to be done with an emptied sandbox.
enum Verdict {
    Reuse,
    Replace(Reason),
    GiveUp(Reason),
}

impl Dirty {
    /// Ends what is left in it, and makes a ghost of it, or destroys it and says why.
    pub(crate) async fn repurpose(self, shared: &Arc<Shared>) -> Result<Ghost, Reason> {
        let begun = Instant::now();
        let id = self.0.remains.id().to_owned();
        let made = try_repurpose(shared, self.0).await;
        match made {
            Ok(ghost) => {
                shared.stats.repurposed(begun.elapsed());
                Ok(ghost)
            }
            Err(Refused::Known(reason)) => {
                shared.stats.recreated(reason);
                Err(reason)
            }
            Err(Refused::Error(error)) => {
                shared.stats.recreated(Reason::Failed);
                if !matches!(error, CreateError::NurseryGone) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(sandbox = id, error, "a sandbox could not be repurposed");
                }
                Err(Reason::Failed)
            }
        }
    }
}

/// Why there is no ghost.
enum Refused {
    Known(Reason),
    Error(CreateError),
}

impl From<CreateError> for Refused {
    fn from(error: CreateError) -> Self {
        Self::Error(error)
    }
}

async fn try_repurpose(shared: &Arc<Shared>, shell: Shell) -> Result<Ghost, Refused> {
    let Shell {
        mut remains,
        net,
        egress,
        settings,
        account,
        uses,
        ..
    } = shell;
    empty(&mut remains).await?;
    if let Some(link) = remains.link.take() {
        let id = remains.id().to_owned();
        let disconnected = shared.network.disconnect(link).await;
        disconnected.map_err(|source| CreateError::Network { id, source })?;
    }
    let mut memory_bytes = settings.memory_bytes;
    match reset_group(&mut remains, memory_bytes).await? {
        Verdict::Reuse => {}
        Verdict::Replace(reason) => {
            shared.stats.recreated(reason);
            remove_group(&mut remains).await?;
            memory_bytes = None;
        }
        Verdict::GiveUp(reason) => return Err(Refused::Known(reason)),
    }
    if egress {
        // A link counts packets of the kernel's own, and cannot be told from a used one.
        shared.stats.recreated(Reason::NetworkLink);
    }
    let parts = Parts {
        remains,
        memory_bytes,
        net: (!egress).then_some(net),
        egress,
        account,
        uses,
    };
    Ok(build(shared, parts, true).await.map(Ghost)?)
}

/// Kills every process, and waits until the last one has been reaped: init's end waits for that of its namespace
/// (`pid_namespaces(7)`).
async fn empty(remains: &mut Remains) -> Result<(), CreateError> {
    remains.kill();
    let Some(pidfd) = &remains.pidfd else {
        return Ok(());
    };
    let id = remains.id();
    let ended = reaper::wait_for_death(id, pidfd).await;
    ended.map_err(|error| CreateError::StillAlive {
        id: id.to_owned(),
        source: Box::new(error),
    })?;
    remains.pidfd = None;
    Ok(())
}

/// Resets the counters of the groups, and reads whether that was enough.
async fn reset_group(remains: &mut Remains, limit: Option<u64>) -> Result<Verdict, CreateError> {
    let begun = Instant::now();
    loop {
        let Some(group) = remains.group.take() else {
            return Ok(Verdict::GiveUp(Reason::Failed));
        };
        let reset = move || {
            let trace = group.reset(limit);
            (group, trace)
        };
        let Ok((group, trace)) = tokio::task::spawn_blocking(reset).await else {
            return Ok(Verdict::GiveUp(Reason::Failed));
        };
        remains.group = Some(group);
        let cgroup = |source| CreateError::Cgroup {
            id: remains.id().to_owned(),
            source,
        };
        match trace.map_err(cgroup)? {
            Ok(()) => return Ok(Verdict::Reuse),
            Err(Trace::Process) => return Ok(Verdict::GiveUp(Reason::NotEmpty)),
            Err(Trace::OomKill) => return Ok(Verdict::Replace(Reason::OutOfMemory)),
            Err(Trace::Charge) if begun.elapsed() > CHARGE_LIMIT => {
                return Ok(Verdict::Replace(Reason::MemoryCharged));
            }
            Err(Trace::Charge) => tokio::time::sleep(CHARGE_PAUSE).await,
        }
    }
}

/// Removes the groups; new ones are made with the ghost.
async fn remove_group(remains: &mut Remains) -> Result<(), CreateError> {
    let Some(group) = remains.group.take() else {
        return Ok(());
    };
    let id = remains.id().to_owned();
    let removed = tokio::task::spawn_blocking(move || {
        let result = group.try_remove();
        (group, result)
    });
    let (group, result) = removed.await.map_err(|_| CreateError::NurseryGone)?;
    if result.is_err() {
        remains.group = Some(group);
    }
    result.map_err(|source| CreateError::Cgroup { id, source })
}
