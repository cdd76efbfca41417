//! Running a program in a sandbox: take one, have the nursery clone a process into it, wait until that has executed.
//!
//! ```text
//! daemon                          nursery              program's process
//! take (or build) a ghost
//! plan + descriptors ───────────> clone3 ────────────> join, descriptors, user, filter
//!        <────── Cloned + pidfd ──┘
//!        <────── Executing + listener ──────────────── exec
//!        <────── end of the birth socket ───────────── has executed
//! ```

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use crate::code::Code;
use crate::control::{PacketSocket, packet_pair};
use crate::error::CreateError;
use crate::launcher::Shared;
use crate::net::NetworkPolicy;
use crate::pool::build::{Parts, build, send, staged};
use crate::pool::{Ghost, Occupied, Taken, Wanted};
use crate::sandbox::{Exit, Facts, Sandbox};
use crate::spec::{SandboxFds, SandboxSpec};
use crate::stage::{Failure, Stage, micros};
use crate::wire::{self, Kind, Report, RunPlan};
use crate::witness::Witness;

/// Makes a sandbox and starts its program.
pub(crate) async fn start(
    shared: &Arc<Shared>,
    spec: SandboxSpec,
    fds: SandboxFds,
) -> Result<Sandbox, CreateError> {
    let begun = Instant::now();
    spec.check()?;
    if *shared.nursery_ended.borrow() {
        return Err(CreateError::NurseryGone);
    }
    let taken = take(shared, &spec).await?;
    start_in(shared, taken, spec, fds, begun).await
}

/// Starts the program in a sandbox that was taken for it. `begun` is when that was asked for.
pub(crate) async fn start_in(
    shared: &Arc<Shared>,
    taken: Taken,
    spec: SandboxSpec,
    fds: SandboxFds,
    begun: Instant,
) -> Result<Sandbox, CreateError> {
    let taken_us = micros(begun.elapsed());
    let mut stages_us = vec![(Stage::Take, taken_us)];
    let (occupied, started) = run(shared, taken, spec, fds).await?;
    stages_us.extend(started.stages_us);
    let facts = Facts {
        stages_us,
        total_us: micros(begun.elapsed()),
    };
    let api = started.listener.map(TcpListener::from);
    Ok(Sandbox::new(
        shared,
        started.id,
        occupied,
        (started.pid, Witness::nursery(started.control, started.exit)),
        api,
        facts,
    ))
}

/// A sandbox that is this function's: a ghost if there is one, else made now.
pub(crate) async fn take(shared: &Arc<Shared>, spec: &SandboxSpec) -> Result<Taken, CreateError> {
    let ghost = match shared.pool.pop(&spec.account, spec.wants_egress()) {
        Some(ghost) => ghost,
        None => {
            shared.stats.missed();
            let parts = Parts::fresh(shared, spec.wants_egress())?;
            Ghost(build(shared, parts, false).await?)
        }
    };
    let begun = Instant::now();
    let id = ghost.id().to_owned();
    let (shared_too, account) = (Arc::clone(shared), spec.account.clone());
    let (dirs, hostname) = (spec.code.clone(), spec.hostname.clone());
    let (memory_bytes, tmp_bytes) = (spec.memory_bytes, spec.tmp_bytes);
    let holder = spec.id.clone();
    let taken = shared.hands.lend(move |hand| {
        let code = shared_too.codes.get(&dirs);
        let code = code.map_err(|(stage, source)| staged(ghost.id(), stage)(source))?;
        let wanted = Wanted {
            holder: &holder,
            account: &account,
            memory_bytes,
            tmp_bytes,
            hostname: &hostname,
            code: &code,
        };
        ghost.take(hand, &wanted)
    });
    let lost = || staged(&id, Stage::Take)(io::ErrorKind::BrokenPipe.into());
    let taken = taken.await.ok_or_else(lost)??;
    permit(shared, &taken, &spec.network).await?;
    shared.stats.taken(begun.elapsed());
    Ok(taken)
}

/// Lets a sandbox reach what a policy allows: before, its link lets nothing through.
pub(crate) async fn permit(
    shared: &Shared,
    taken: &Taken,
    policy: &NetworkPolicy,
) -> Result<(), CreateError> {
    let (Some(policy), Some(link)) = (policy.egress(), &taken.0.remains.link) else {
        return Ok(());
    };
    let permitted = shared.network.permit(link, policy).await;
    permitted.map_err(|source| CreateError::Network {
        id: taken.0.remains.id().to_owned(),
        source,
    })
}

/// A program that was executed.
struct Started {
    id: String,
    pid: i32,
    control: PacketSocket,
    listener: Option<OwnedFd>,
    stages_us: Vec<(Stage, u32)>,
    /// A short one may have ended before the nursery came to say that it cloned it.
    exit: Option<Exit>,
}

/// What is heard of a program until it has been executed.
#[derive(Default)]
struct Birth {
    cloned: Option<i32>,
    executing: bool,
    listener: Option<OwnedFd>,
    stages_us: Vec<(Stage, u32)>,
    exit: Option<Exit>,
}

async fn run(
    shared: &Arc<Shared>,
    taken: Taken,
    spec: SandboxSpec,
    fds: SandboxFds,
) -> Result<(Occupied, Started), CreateError> {
    let requested = || staged(&spec.id, Stage::Request);
    let (control, nursery_end) = packet_pair().map_err(requested())?;
    let (birth, birth_end) = packet_pair().map_err(requested())?;
    let id = spec.id.clone();
    send_plan(shared, &taken, spec, fds, [nursery_end, birth_end]).await?;
    let occupied = taken.occupied();
    let heard = follow(shared, &id, &occupied, &control, &birth).await?;
    let started = Started {
        id,
        pid: heard.cloned.unwrap_or_default(),
        control,
        listener: heard.listener,
        stages_us: heard.stages_us,
        exit: heard.exit,
    };
    Ok((occupied, started))
}

/// Asks the nursery for the program's process. What was given and the sockets are closed here once they are sent.
async fn send_plan(
    shared: &Shared,
    taken: &Taken,
    spec: SandboxSpec,
    given: SandboxFds,
    sockets: [OwnedFd; 2],
) -> Result<(), CreateError> {
    let id = spec.id;
    let gone = || staged(&id, Stage::Request)(io::Error::from_raw_os_error(libc::ESRCH));
    let join = taken.join().ok_or_else(gone)?;
    let plan = RunPlan {
        argv: spec.argv,
        env: spec.env,
        cwd: spec.cwd,
        uid: join.uid,
        has_channel: given.channel.is_some(),
        attach_len: join.tasks.len(),
        runtime_api: spec.runtime_api,
    };
    let packed = wire::pack(Kind::Run, &plan).map_err(staged(&id, Stage::Request));
    let (bytes, memfd) = packed?;
    let mut fds: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
    fds.extend([join.cgroup, join.pidfd, given.output.as_fd()]);
    fds.extend(given.channel.iter().map(AsFd::as_fd));
    fds.extend(join.tasks.iter().map(AsFd::as_fd));
    fds.extend(memfd.iter().map(AsFd::as_fd));
    send(shared, &id, &bytes, &fds).await
}

/// Reads reports, in whatever order nursery and process make them, until the process exists and has executed its program.
async fn follow(
    shared: &Shared,
    id: &str,
    occupied: &Occupied,
    control: &PacketSocket,
    birth: &PacketSocket,
) -> Result<Birth, CreateError> {
    let mut heard = Birth::default();
    let mut open = (true, true);
    while open.1 || heard.cloned.is_none() {
        let report = tokio::select! {
            report = control.receive_report(), if open.0 => {
                let report = unreadable(id, report)?;
                open.0 = report.is_some();
                report
            }
            report = birth.receive_report(), if open.1 => {
                let report = unreadable(id, report)?;
                open.1 = report.is_some();
                report
            }
            // The nursery has closed both.
            else => None,
        };
        match report {
            Some((report, fds)) => hear(id, &mut heard, report, fds)?,
            None if open == (false, false) && heard.cloned.is_none() => break,
            None => {}
        }
    }
    if *shared.nursery_ended.borrow() || heard.cloned.is_none() {
        return Err(CreateError::NurseryGone);
    }
    if !heard.executing {
        return Err(CreateError::InitGone {
            id: id.to_owned(),
            oom_kills: occupied.oom_kills(),
        });
    }
    Ok(heard)
}

type Heard = Option<(Report, Vec<OwnedFd>)>;

fn unreadable(id: &str, report: io::Result<Heard>) -> Result<Heard, CreateError> {
    report.map_err(|source| CreateError::Report {
        id: id.to_owned(),
        source,
    })
}

fn hear(id: &str, heard: &mut Birth, report: Report, fds: Vec<OwnedFd>) -> Result<(), CreateError> {
    match report {
        Report::Cloned { pid } => heard.cloned = Some(pid),
        Report::Executing { stages_us } => {
            heard.executing = true;
            heard.stages_us = stages_us;
            heard.listener = fds.into_iter().next();
        }
        Report::Failed(Failure { stage, errno }) => {
            return Err(staged(id, stage)(io::Error::from_raw_os_error(errno)));
        }
        Report::Exited { code } => heard.exit = Some(Exit::Exited(code)),
        Report::Signaled { signal } => heard.exit = Some(Exit::Signaled(signal)),
        // An init's words, which nobody says here.
        Report::NetworkReady | Report::Built { .. } => {}
    }
    Ok(())
}

/// The codes of functions that were started lately.
#[derive(Debug, Default)]
pub(crate) struct Codes(
    std::sync::Mutex<std::collections::HashMap<crate::code::CodeDirs, Arc<Code>>>,
);

impl Codes {
    /// A prepared mount holds a descriptor or two; so many functions are started in turns.
    const MOST: usize = 256;

    /// Prepares a code, unless it is there.
    pub(crate) fn get(
        &self,
        dirs: &crate::code::CodeDirs,
    ) -> Result<Arc<Code>, (Stage, io::Error)> {
        let lock = || {
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        let known = lock().get(dirs).cloned();
        if let Some(code) = known.filter(|code| code.is_current()) {
            return Ok(code);
        }
        let code = Arc::new(Code::prepare(dirs)?);
        let mut codes = lock();
        if codes.len() >= Self::MOST {
            codes.clear();
        }
        codes.insert(dirs.clone(), Arc::clone(&code));
        Ok(code)
    }
}
