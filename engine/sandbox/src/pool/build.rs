//! Making one ghost sandbox, from the daemon's side.
//!
//! ```text
//! daemon                          nursery              init
//! groups, runtime's mount
//! plan + descriptors ───────────> clone3 ────────────> attach, unshare, mount, …
//!        <────── Cloned + pidfd ──┘
//!        <────── NetworkReady ──────────────────────── (egress only)
//! veth   ─────── Order::Network ─────────────────────> address, route
//!        <────── Built + network namespace ─────────── becomes the holder
//!        <────── end of the socket ─────────────────── has become it
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::roster::Entry;
use super::states::{Settings, Shell};
use super::stats::Reason;
use crate::cgroup::{Group, GroupFds, Peak};
use crate::code;
use crate::control::{PacketSocket, packet_pair};
use crate::error::CreateError;
use crate::launcher::Shared;
use crate::net::LinkAddress;
use crate::reaper::Remains;
use crate::spec::Account;
use crate::stage::{Failure, Stage};
use crate::wire::{self, BuildPlan, Kind, MountPoint, NetFate, Order, Report};

/// What a ghost is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// With groups, if there are some already.
    pub(crate) remains: Remains,
    /// The limit of their memory now.
    pub(crate) memory_bytes: Option<u64>,
    /// A network namespace that was used before.
    pub(crate) net: Option<OwnedFd>,
    pub(crate) egress: bool,
    pub(crate) account: Option<Account>,
    pub(crate) uses: u32,
}

impl Parts {
    /// Nothing but a name and a number.
    pub(crate) fn fresh(shared: &Shared, egress: bool) -> Result<Self, CreateError> {
        let slot = shared.slots.take().ok_or(CreateError::NoSlot {
            limit: shared.slots.limit(),
        })?;
        let id = shared.next_id();
        let mut remains = Remains::new(&id, slot, shared.reaper.clone());
        remains.entry = Some(Entry::new(&shared.roster, &id));
        Ok(Self {
            remains,
            memory_bytes: None,
            net: None,
            egress,
            account: None,
            uses: 0,
        })
    }
}

/// Makes a ghost. `ahead`: nobody waits for it.
pub(crate) async fn build(
    shared: &Arc<Shared>,
    parts: Parts,
    ahead: bool,
) -> Result<Shell, CreateError> {
    if *shared.nursery_ended.borrow() {
        return Err(CreateError::NurseryGone);
    }
    let prepare = {
        let shared = Arc::clone(shared);
        move || prepare(&shared, parts, ahead)
    };
    // mkdir in a cgroup hierarchy takes locks that can be held for milliseconds.
    let prepared = tokio::task::spawn_blocking(prepare).await;
    let (mut making, parcel) = prepared.map_err(|_| CreateError::NurseryGone)??;
    let fds: Vec<BorrowedFd<'_>> = parcel.fds.iter().map(AsFd::as_fd).collect();
    send(shared, making.parts.remains.id(), &parcel.bytes, &fds).await?;
    drop(parcel);
    making.follow(shared).await?;
    making.finish(shared)
}

/// What is sent to the nursery; closed when it has been.
struct Parcel {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// Sends a request for the sandbox `id` to the nursery.
pub(crate) async fn send(
    shared: &Shared,
    id: &str,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> Result<(), CreateError> {
    match shared.nursery.send(bytes, fds).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CreateError::NurseryGone),
        Err(source) => Err(CreateError::Stage {
            id: id.to_owned(),
            stage: Stage::Request,
            source,
        }),
    }
}

/// Names sandbox and stage of an I/O error.
pub(crate) fn staged(id: &str, stage: Stage) -> impl FnOnce(io::Error) -> CreateError {
    let id = id.to_owned();
    move |source| CreateError::Stage { id, stage, source }
}

/// A ghost under construction.
struct Making {
    parts: Parts,
    ways_in: GroupFds,
    peak: Arc<Peak>,
    settings: Settings,
    uid: u32,
    /// Of the link that is yet to be made.
    address: Option<LinkAddress>,
    control: PacketSocket,
    pid: Option<i32>,
    built: Option<Built>,
}

/// What init said at the end.
struct Built {
    stages_us: Vec<(Stage, u32)>,
    net: OwnedFd,
    fate: NetFate,
}

/// The blocking part: control groups and the runtime's mount.
fn prepare(
    shared: &Shared,
    mut parts: Parts,
    ahead: bool,
) -> Result<(Making, Parcel), CreateError> {
    let id = parts.remains.id().to_owned();
    let cgroup = |source| CreateError::Cgroup {
        id: id.clone(),
        source,
    };
    let group = match parts.remains.group.take() {
        Some(kept) => kept,
        None => shared.tree.create(&id).map_err(cgroup)?,
    };
    let opened = parts.remains.group.insert(group).open();
    let (ways_in, peak) = opened.map_err(cgroup)?;
    let mut mounts = Vec::new();
    if let Some(path) = &shared.runtime_dir {
        let mount = code::read_only_tree(path).map_err(staged(&id, Stage::RuntimeDir))?;
        mounts.push((MountPoint::Runtime, mount));
    }
    let (points, mounts): (Vec<MountPoint>, Vec<OwnedFd>) = mounts.into_iter().unzip();
    let settings = Settings {
        memory_bytes: parts.memory_bytes,
        tmp_bytes: shared.ghost_tmp_bytes,
        hostname: shared.hostname.clone(),
    };
    let uid = shared.uid_base + parts.remains.slot_number();
    let address = parts.egress.then(|| shared.network.address()).transpose();
    let address = address.map_err(|source| CreateError::Network {
        id: id.clone(),
        source,
    })?;
    let plan = BuildPlan {
        hostname: settings.hostname.clone(),
        uid,
        tmp_bytes: settings.tmp_bytes,
        keeps_net: parts.net.is_some(),
        attach_len: ways_in.attach.len(),
        mounts: points,
        egress: parts.egress,
        resolv_conf: address.as_ref().map(LinkAddress::resolv_conf),
        ahead,
    };
    let requested = || staged(&id, Stage::Request);
    let (control, theirs) = packet_pair().map_err(requested())?;
    let (bytes, memfd) = wire::pack(Kind::Build, &plan).map_err(requested())?;
    let mut fds = vec![theirs, ways_in.unified.try_clone().map_err(requested())?];
    fds.extend(parts.net.take());
    for tasks in &ways_in.attach {
        fds.push(tasks.try_clone().map_err(requested())?);
    }
    fds.extend(mounts);
    fds.extend(memfd);
    let making = Making {
        parts,
        ways_in,
        peak: Arc::new(peak),
        settings,
        uid,
        address,
        control,
        pid: None,
        built: None,
    };
    Ok((making, Parcel { bytes, fds }))
}

impl Making {
    fn id(&self) -> String {
        self.parts.remains.id().to_owned()
    }

    /// Reads reports until init exists and has become the holder, in whatever order nursery and init say so.
    async fn follow(&mut self, shared: &Shared) -> Result<(), CreateError> {
        let mut wants_network = false;
        loop {
            let report = self.control.receive_report().await;
            let report = report.map_err(|source| CreateError::Report {
                id: self.id(),
                source,
            })?;
            match report {
                Some((Report::Cloned { pid }, fds)) => {
                    self.pid = Some(pid);
                    self.parts.remains.pidfd = fds.into_iter().next().map(Arc::new);
                }
                Some((Report::NetworkReady, _)) => wants_network = true,
                Some((
                    Report::Built {
                        stages_us,
                        net: fate,
                    },
                    fds,
                )) => {
                    self.built = fds.into_iter().next().map(|net| Built {
                        stages_us,
                        net,
                        fate,
                    });
                }
                Some((Report::Failed(Failure { stage, errno }), _)) => {
                    let source = io::Error::from_raw_os_error(errno);
                    return Err(staged(&self.id(), stage)(source));
                }
                // Nobody else speaks on this socket.
                Some(_) => return Err(self.ended_early(shared)),
                None if self.built.is_some() && self.pid.is_some() => return Ok(()),
                None => return Err(self.ended_early(shared)),
            }
            if wants_network && self.pid.is_some() {
                wants_network = false;
                self.connect(shared).await?;
            }
        }
    }

    fn ended_early(&self, shared: &Shared) -> CreateError {
        if *shared.nursery_ended.borrow() || self.pid.is_none() {
            return CreateError::NurseryGone;
        }
        CreateError::InitGone {
            id: self.id(),
            oom_kills: self
                .parts
                .remains
                .group
                .as_ref()
                .map_or(0, Group::oom_kills),
        }
    }

    async fn connect(&mut self, shared: &Shared) -> Result<(), CreateError> {
        let (Some(pid), Some(pidfd)) = (self.pid, &self.parts.remains.pidfd) else {
            return Ok(());
        };
        let Some(address) = self.address.take() else {
            return Ok(());
        };
        let connected = shared.network.connect(address, pid, pidfd).await;
        let link = connected.map_err(|source| CreateError::Network {
            id: self.id(),
            source,
        })?;
        let order = Order::Network {
            address: link.inside_address(),
            prefix_bits: link.prefix_bits(),
            gateway: link.gateway(),
        };
        self.parts.remains.link = Some(link);
        let sent = self.control.send_order(&order).await;
        sent.map_err(staged(&self.id(), Stage::Egress))
    }

    fn finish(self, shared: &Shared) -> Result<Shell, CreateError> {
        let (Some(pid), Some(built)) = (self.pid, self.built) else {
            return Err(CreateError::NurseryGone);
        };
        if built.fate == NetFate::Replaced {
            shared.stats.recreated(Reason::NetworkUsed);
        }
        Ok(Shell {
            remains: self.parts.remains,
            pid,
            uid: self.uid,
            ways_in: Some(self.ways_in),
            peak: self.peak,
            net: built.net,
            egress: self.parts.egress,
            settings: self.settings,
            account: self.parts.account,
            uses: self.parts.uses,
            stages_us: built.stages_us,
        })
    }
}
