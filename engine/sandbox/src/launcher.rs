//! The launcher: owns the nursery, the control groups' directories and the numbers given out.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::cgroup::Tree;
use crate::control::PacketSocket;
use crate::create;
use crate::error::{CreateError, StartError};
use crate::net::{Network, NetworkConfig};
use crate::nursery_process::NurseryProcess;
use crate::owner;
use crate::reaper::{self, Job};
use crate::root::RootFs;
use crate::sandbox::Sandbox;
use crate::slots::Slots;
use crate::spec::{SandboxFds, SandboxSpec};

/// How a launcher is set up.
#[derive(Debug, Clone)]
pub struct LauncherConfig {
    /// A short name of the state directory, in the names of everything on the host that belongs to
    /// this launcher: 1 to 32 of `a-z 0-9 -`. Two live launchers must not share it.
    pub owner: String,
    /// The program that calls [`nursery_main`](crate::nursery_main) when its first argument is
    /// [`Self::nursery_arg`]; normally `/proc/self/exe`.
    pub nursery_exe: PathBuf,
    /// That first argument.
    pub nursery_arg: String,
    /// The addresses of sandboxes with egress.
    pub network: NetworkConfig,
    /// The sandboxes' root file system.
    pub root: RootFs,
    /// The uid (and gid) of the first sandbox; others follow. Normally derived from the owner, at
    /// least 1,000,000.
    pub uid_base: u32,
    /// How many sandboxes can live at once.
    pub max_sandboxes: u32,
}

impl LauncherConfig {
    /// A launcher that re-executes the current program with the argument `nursery`.
    pub fn new(owner: impl Into<String>) -> Self {
        let owner = owner.into();
        Self {
            uid_base: owner::uid_base(&owner),
            owner,
            nursery_exe: PathBuf::from("/proc/self/exe"),
            nursery_arg: "nursery".into(),
            network: NetworkConfig::default(),
            root: RootFs::default(),
            max_sandboxes: 50_000,
        }
    }
}

/// Makes sandboxes.
///
/// Dropping it ends the nursery and with it every sandbox; [`Launcher::shutdown`] also waits until
/// nothing is left of them. Must be started on a tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct Launcher {
    shared: Arc<Shared>,
    nursery: NurseryProcess,
    reaper_done: oneshot::Receiver<()>,
}

/// What creations and sandboxes need of the launcher.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) nursery: PacketSocket,
    pub(crate) tree: Arc<Tree>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) uid_base: u32,
    pub(crate) network: Arc<Network>,
    pub(crate) reaper: mpsc::UnboundedSender<Job>,
    pub(crate) nursery_ended: watch::Receiver<bool>,
}

impl Launcher {
    /// Starts the nursery and makes the control groups' directories.
    ///
    /// Call [`sweep`](crate::sweep) first: what a dead daemon of this owner left is not looked at
    /// here.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: LauncherConfig) -> Result<Self, StartError> {
        if !owner::is_valid(&config.owner) {
            return Err(StartError::Owner {
                owner: config.owner,
            });
        }
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            return Err(StartError::NotRoot { uid: uid.as_raw() });
        }
        let network = Arc::new(Network::new(&config.network, &config.owner)?);
        let tree = Arc::new(Tree::open(&config.owner)?);
        let started = NurseryProcess::start(&config).await;
        let (nursery, socket) = started.inspect_err(|_| tree.remove())?;
        let (reaper, jobs) = mpsc::unbounded_channel();
        let (done, reaper_done) = oneshot::channel();
        tokio::spawn(reaper::run(jobs, Arc::clone(&network), done));
        let shared = Arc::new(Shared {
            nursery: socket,
            tree,
            slots: Slots::new(config.max_sandboxes),
            uid_base: config.uid_base,
            network,
            reaper,
            nursery_ended: nursery.ended(),
        });
        Ok(Self {
            shared,
            nursery,
            reaper_done,
        })
    }

    /// Makes a sandbox and starts its program; returns when the program has been executed.
    ///
    /// If the future is dropped, what was made so far is removed in the background.
    ///
    /// # Errors
    /// See [`CreateError`]; nothing is left behind.
    pub async fn create(&self, spec: SandboxSpec, fds: SandboxFds) -> Result<Sandbox, CreateError> {
        create::create(&self.shared, spec, fds).await
    }

    /// Waits until the nursery has ended, and with it every sandbox; nothing can be made any more.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.shared.nursery_ended.clone();
        async move {
            // An error means that the thread is gone, which it is only after the process.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    /// The nursery's PID, for diagnosis.
    pub fn nursery_pid(&self) -> u32 {
        self.nursery.pid()
    }

    /// Ends the nursery and every sandbox, and waits until nothing is left of them.
    ///
    /// [`Sandbox`]es that are still held must be destroyed or dropped, or this waits for them.
    pub async fn shutdown(self) {
        let Self {
            shared,
            nursery,
            reaper_done,
        } = self;
        let (network, tree) = (Arc::clone(&shared.network), Arc::clone(&shared.tree));
        nursery.end(&shared.nursery).await;
        // With the last sender gone, the reaper ends when its jobs are done.
        drop(shared);
        let _ = reaper_done.await;
        tree.remove();
        network.shutdown().await;
    }
}
