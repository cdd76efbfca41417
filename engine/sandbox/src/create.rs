//! Making one sandbox, from the daemon's side.
//!
//! ```text
//! daemon                          nursery              init
//! groups, detached mounts
//! plan + descriptors ───────────> clone3 ────────────> attach, unshare, mount, …
//!        <────── Cloned + pidfd ──┘
//!        <────── NetworkReady ──────────────────────── (egress only)
//! veth   ─────── Order::Network ─────────────────────> address, route
//!        <────── Ready + listener ──────────────────── program executed
//! ```

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use crate::cgroup::{GroupFds, Limits, Readings};
use crate::code;
use crate::control::{PacketSocket, packet_pair};
use crate::error::CreateError;
use crate::launcher::Shared;
use crate::net::{LinkAddress, NetworkPolicy};
use crate::reaper::Remains;
use crate::sandbox::{Exit, Facts, Sandbox};
use crate::spec::{SandboxFds, SandboxSpec};
use crate::stage::{Failure, Stage};
use crate::wire::{self, MountPoint, Order, Plan, Report};

/// Makes a sandbox.
pub(crate) async fn create(
    shared: &Arc<Shared>,
    spec: SandboxSpec,
    fds: SandboxFds,
) -> Result<Sandbox, CreateError> {
    let started = Instant::now();
    spec.check()?;
    if *shared.nursery_ended.borrow() {
        return Err(CreateError::NurseryGone);
    }
    let slot = shared.slots.take().ok_or(CreateError::NoSlot {
        limit: shared.slots.limit(),
    })?;
    let remains = Remains::new(&spec.id, slot, shared.reaper.clone());
    let prepare = {
        let shared = Arc::clone(shared);
        move || prepare(&shared, spec, fds, remains)
    };
    // mkdir in a cgroup hierarchy takes locks that can be held for milliseconds.
    let prepared = tokio::task::spawn_blocking(prepare).await;
    let mut making = prepared.map_err(|_| CreateError::NurseryGone)??;
    let prepared_us = micros(started);
    making.send_plan(shared).await?;
    making.follow(shared).await?;
    Ok(making.finish(prepared_us, micros(started)))
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// A sandbox under construction.
struct Making {
    remains: Remains,
    uid: u32,
    network: NetworkPolicy,
    /// Of the link that is yet to be made.
    address: Option<LinkAddress>,
    control: PacketSocket,
    readings: Readings,
    parcel: Option<Parcel>,
    pid: Option<i32>,
    ready: Option<Ready>,
    /// A short program may have ended before the nursery came to say that it cloned init.
    exit: Option<Exit>,
}

/// What init said when the program had been executed.
#[derive(Default)]
struct Ready {
    stages_us: Vec<(Stage, u32)>,
    listener: Option<OwnedFd>,
}

/// What is sent to the nursery; closed here once it is sent.
struct Parcel {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// The blocking part: control groups and mounts.
fn prepare(
    shared: &Shared,
    spec: SandboxSpec,
    fds: SandboxFds,
    mut remains: Remains,
) -> Result<Making, CreateError> {
    let id = spec.id.clone();
    let cgroup = |source| CreateError::Cgroup {
        id: id.clone(),
        source,
    };
    let staged = |stage| {
        let id = id.clone();
        move |source: io::Error| CreateError::Stage { id, stage, source }
    };
    let limits = Limits {
        memory_bytes: spec.memory_bytes,
    };
    remains.group = Some(shared.tree.create(&spec.id, &limits).map_err(cgroup)?);
    let group = remains.group.as_ref().map(|group| group.open());
    let Some(GroupFds {
        unified,
        attach,
        attach_late,
        readings,
    }) = group.transpose().map_err(cgroup)?
    else {
        return Err(CreateError::NurseryGone);
    };
    let mounts = code::detached_mounts(&spec).map_err(|(stage, source)| staged(stage)(source))?;
    let uid = shared.uid_base + remains.slot_number();
    let (control, theirs) = packet_pair().map_err(staged(Stage::Request))?;
    let (points, mounts): (Vec<MountPoint>, Vec<OwnedFd>) = mounts.into_iter().unzip();
    let egress = spec.wants_egress();
    let address = egress.then(|| shared.network.address()).transpose();
    let address = address.map_err(|source| CreateError::Network {
        id: id.clone(),
        source,
    })?;
    let plan = Plan {
        uid,
        tmp_bytes: spec.tmp_bytes,
        has_channel: fds.channel.is_some(),
        attach_len: attach.len(),
        attach_late_len: attach_late.len(),
        mounts: points,
        resolv_conf: address.as_ref().map(LinkAddress::resolv_conf),
        egress,
        runtime_api: spec.runtime_api,
        argv: spec.argv,
        env: spec.env,
        cwd: spec.cwd,
        hostname: spec.hostname,
    };
    let (bytes, memfd) = wire::pack_plan(&plan).map_err(staged(Stage::Request))?;
    let mut packet_fds = vec![theirs, unified, fds.output];
    packet_fds.extend(fds.channel);
    packet_fds.extend(attach);
    packet_fds.extend(attach_late);
    packet_fds.extend(mounts);
    packet_fds.extend(memfd);
    let parcel = Some(Parcel {
        bytes,
        fds: packet_fds,
    });
    Ok(Making {
        remains,
        uid,
        network: spec.network,
        address,
        control,
        readings,
        parcel,
        pid: None,
        ready: None,
        exit: None,
    })
}

impl Making {
    fn id(&self) -> String {
        self.remains.id().to_owned()
    }

    async fn send_plan(&mut self, shared: &Shared) -> Result<(), CreateError> {
        let Some(parcel) = self.parcel.take() else {
            return Ok(());
        };
        let borrowed: Vec<BorrowedFd<'_>> = parcel.fds.iter().map(AsFd::as_fd).collect();
        match shared.nursery.send(&parcel.bytes, &borrowed).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(CreateError::NurseryGone)
            }
            Err(source) => Err(CreateError::Stage {
                id: self.id(),
                stage: Stage::Request,
                source,
            }),
        }
    }

    /// Reads reports until init exists and the program has been executed, in whatever order
    /// nursery and init say so.
    async fn follow(&mut self, shared: &Shared) -> Result<(), CreateError> {
        let mut wants_network = false;
        while self.pid.is_none() || self.ready.is_none() {
            let report = self.control.receive_report().await;
            let report = report.map_err(|source| CreateError::Report {
                id: self.id(),
                source,
            })?;
            match report {
                Some((Report::Cloned { pid }, fds)) => {
                    self.pid = Some(pid);
                    self.remains.pidfd = fds.into_iter().next();
                }
                Some((Report::NetworkReady, _)) => wants_network = true,
                Some((Report::Ready { stages_us }, fds)) => {
                    self.ready = Some(Ready {
                        stages_us,
                        listener: fds.into_iter().next(),
                    });
                }
                Some((Report::Failed(Failure { stage, errno }), _)) => {
                    let source = io::Error::from_raw_os_error(errno);
                    return Err(CreateError::Stage {
                        id: self.id(),
                        stage,
                        source,
                    });
                }
                Some((Report::Exited { code }, _)) => self.exit = Some(Exit::Exited(code)),
                Some((Report::Signaled { signal }, _)) => {
                    self.exit = Some(Exit::Signaled(signal));
                }
                None => return Err(self.ended_early(shared)),
            }
            if wants_network && self.pid.is_some() {
                wants_network = false;
                self.connect(shared).await?;
            }
        }
        Ok(())
    }

    fn ended_early(&self, shared: &Shared) -> CreateError {
        if *shared.nursery_ended.borrow() || self.pid.is_none() {
            return CreateError::NurseryGone;
        }
        CreateError::InitGone {
            id: self.id(),
            oom_kills: self.readings.oom_kills(),
        }
    }

    async fn connect(&mut self, shared: &Shared) -> Result<(), CreateError> {
        let (Some(pid), Some(pidfd)) = (self.pid, &self.remains.pidfd) else {
            return Ok(());
        };
        let Some(address) = self.address.take() else {
            return Ok(());
        };
        let id = self.remains.id().to_owned();
        let failed = |source| CreateError::Network { id, source };
        let connected = shared.network.connect(address, pid, pidfd).await;
        let link = match connected {
            Ok(link) => self.remains.link.insert(link),
            Err(source) => return Err(failed(source)),
        };
        if let Some(policy) = self.network.egress() {
            let permitted = shared.network.permit(link, policy).await;
            permitted.map_err(failed)?;
        }
        let order = Order::Network {
            address: link.inside_address(),
            prefix_bits: link.prefix_bits(),
            gateway: link.gateway(),
        };
        let sent = self.control.send_order(&order).await;
        sent.map_err(|source| CreateError::Stage {
            id: self.id(),
            stage: Stage::Egress,
            source,
        })
    }

    fn finish(self, prepared_us: u32, total_us: u32) -> Sandbox {
        let Ready {
            mut stages_us,
            listener,
        } = self.ready.unwrap_or_default();
        stages_us.insert(0, (Stage::Cgroup, prepared_us));
        let runtime_api = listener.map(TcpListener::from);
        Sandbox::new(
            self.remains,
            self.control,
            self.readings,
            runtime_api,
            Facts {
                pid: self.pid.unwrap_or_default(),
                uid: self.uid,
                stages_us,
                total_us,
                early_exit: self.exit,
            },
        )
    }
}
