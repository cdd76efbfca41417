//! The launcher: owns the nursery, the ghosts, the control groups' directories and the numbers given out.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use crate::adopt::{self, Adopted};
use crate::cgroup::Tree;
use crate::control::PacketSocket;
use crate::error::{CreateError, StartError};
use crate::net::{Network, NetworkConfig, NetworkPolicy};
use crate::nursery_process::NurseryProcess;
use crate::owner;
use crate::pool::build::{Parts, build};
use crate::pool::{
    AllUncharged, Depth, Dirty, Filler, Ghost, Hand, Hands, Occupied, Pool, PoolStats, Reason,
    Roster, SandboxInfo, Stats, Taken, Wanted, listen_in,
};
use crate::reaper::{self, Job};
use crate::root::RootFs;
use crate::runtime_api::{self, ApiSockets};
use crate::sandbox::Sandbox;
use crate::slots::Slots;
use crate::spec::{Account, SandboxFds, SandboxSpec};
use crate::start::{self, Codes};

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
    /// How many sandboxes can live at once, ghosts included.
    pub max_sandboxes: u32,
    /// A directory of the host that every sandbox has, read-only, at `/var/runtime`.
    pub runtime_dir: Option<PathBuf>,
    /// How many unused ghost sandboxes are kept ready. Twice as many may wait when used ones are counted; with 0, there is
    /// no pool, and every sandbox is made when it is needed.
    pub ghosts: usize,
    /// The same for sandboxes with a link to the outside.
    pub egress_ghosts: usize,
    /// The size of `/tmp` of ghosts, in bytes, and their host name: what most functions have, because setting another
    /// costs the taker some microseconds.
    pub ghost_tmp_bytes: u64,
    /// See [`Self::ghost_tmp_bytes`].
    pub ghost_hostname: String,
    /// Whether programs are put under [`PathRules`](crate::PathRules) where the kernel has Landlock. It is there to measure
    /// what they cost and to show what they add; always true otherwise.
    pub landlock: bool,
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
            runtime_dir: None,
            ghosts: 0,
            egress_ghosts: 0,
            ghost_tmp_bytes: 512 << 20,
            ghost_hostname: "sandbox".into(),
            landlock: true,
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
    filler: Filler,
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
    pub(crate) pool: Pool,
    pub(crate) hands: Hands,
    pub(crate) codes: Codes,
    pub(crate) stats: Stats,
    pub(crate) roster: Arc<Roster>,
    pub(crate) runtime_dir: Option<PathBuf>,
    pub(crate) ghost_tmp_bytes: u64,
    pub(crate) hostname: String,
    pub(crate) uncharged: AllUncharged,
    made: AtomicU64,
}

impl Shared {
    /// The name of the next sandbox's control groups.
    pub(crate) fn next_id(&self) -> String {
        format!("s{:06x}", self.made.fetch_add(1, Ordering::Relaxed))
    }
}

/// Makes a ghost of a used sandbox and puts it away, or destroys it.
pub(crate) async fn recycle(shared: &Arc<Shared>, dirty: Dirty) {
    if !shared.pool.keeps(dirty.0.egress) {
        // What goes wrong is logged.
        let _ = dirty.0.remains.destroy().await;
        return;
    }
    let Ok(ghost) = dirty.repurpose(shared).await else {
        return;
    };
    if let Some(surplus) = shared.pool.put(ghost) {
        shared.stats.recreated(Reason::PoolFull);
        drop(surplus);
    }
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
        let hands = Hands::start().map_err(|source| StartError::Hands { source })?;
        let depth = Depth {
            quiet: config.ghosts,
            egress: config.egress_ghosts,
        };
        let shared = Arc::new(Shared {
            nursery: socket,
            tree,
            slots: Slots::new(config.max_sandboxes),
            uid_base: config.uid_base,
            network,
            reaper,
            nursery_ended: nursery.ended(),
            pool: Pool::new(depth),
            hands,
            codes: Codes::default(),
            stats: Stats::default(),
            roster: Arc::default(),
            runtime_dir: config.runtime_dir,
            ghost_tmp_bytes: config.ghost_tmp_bytes,
            hostname: config.ghost_hostname,
            uncharged: AllUncharged::default(),
            made: AtomicU64::new(0),
        });
        Ok(Self {
            filler: Filler::start(Arc::clone(&shared)),
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
        start::start(&self.shared, spec, fds).await
    }

    /// Makes a ghost sandbox now, whoever waits. For those who keep their own, or measure.
    ///
    /// # Errors
    /// See [`CreateError`]; nothing is left behind.
    pub async fn ghost(&self, egress: bool) -> Result<Ghost, CreateError> {
        let parts = Parts::fresh(&self.shared, egress)?;
        build(&self.shared, parts, false).await.map(Ghost)
    }

    /// A ghost of the pool that this account may have, if there is one.
    pub fn pop(&self, account: &Account, egress: bool) -> Option<Ghost> {
        self.shared.pool.pop(account, egress)
    }

    /// Takes a ghost of the pool, or makes one, for a process that will [join](Taken::join) it. The program's arguments in
    /// the spec are not looked at.
    ///
    /// # Errors
    /// See [`CreateError`]; nothing is left behind.
    pub async fn taken(&self, spec: &SandboxSpec) -> Result<Taken, CreateError> {
        spec.check()?;
        start::take(&self.shared, spec).await
    }

    /// The Runtime API in a taken sandbox, with a connection to it that a clone is given: its seed was frozen while it
    /// waited for an answer on one. `nonblocking` is of the clone's end.
    ///
    /// # Errors
    /// The sandbox's network cannot be entered, or the sockets cannot be made.
    pub async fn runtime_api(
        &self,
        taken: &Taken,
        nonblocking: bool,
    ) -> std::io::Result<ApiSockets> {
        runtime_api::open(&self.shared, taken, nonblocking).await
    }

    /// Starts the program of a spec in a sandbox that was [taken](Self::taken) for it, as [`Self::create`] does at once:
    /// for those who have something to do in between. `begun` is when the sandbox was asked for.
    ///
    /// # Errors
    /// See [`CreateError`]; nothing is left behind.
    pub async fn start_in(
        &self,
        taken: Taken,
        spec: SandboxSpec,
        fds: SandboxFds,
        begun: Instant,
    ) -> Result<Sandbox, CreateError> {
        start::start_in(&self.shared, taken, spec, fds, begun).await
    }

    /// A listener on 127.0.0.1 in a taken sandbox: only its own processes can connect. It does not block, as tokio wants it.
    /// Whoever gives the sandbox back closes it before.
    ///
    /// # Errors
    /// Those of `setns(2)`, `bind(2)` and `listen(2)`.
    pub async fn listen(&self, taken: &Taken, port: u16) -> io::Result<TcpListener> {
        let network = taken.0.net.try_clone()?;
        let listener = self
            .shared
            .hands
            .lend(move |_| listen_in(network.as_fd(), port));
        let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
        listener.await.ok_or_else(lost)?
    }

    /// The sandbox of a process that was not started here: a clone of a seed that has [joined](Taken::join) it. When the
    /// process ends, so does everything that it has left in the sandbox.
    ///
    /// # Errors
    /// No task can watch the process. The sandbox is destroyed then, and the process with it.
    pub fn adopt(&self, occupied: Occupied, clone: Adopted) -> std::io::Result<Sandbox> {
        adopt::adopt(&self.shared, occupied, clone)
    }

    /// Makes a ghost a function's, on the calling thread; the program's arguments in the spec are not looked at.
    ///
    /// # Errors
    /// See [`CreateError`]; the ghost is destroyed then.
    pub fn take(
        &self,
        hand: &Hand,
        ghost: Ghost,
        spec: &SandboxSpec,
    ) -> Result<Taken, CreateError> {
        let code = self.shared.codes.get(&spec.code);
        let code = code.map_err(|(stage, source)| CreateError::Stage {
            id: ghost.id().to_owned(),
            stage,
            source,
        })?;
        let wanted = Wanted {
            holder: &spec.id,
            account: &spec.account,
            memory_bytes: spec.memory_bytes,
            tmp_bytes: spec.tmp_bytes,
            hostname: &spec.hostname,
            code: &code,
        };
        ghost.take(hand, &wanted)
    }

    /// Lets a taken sandbox reach what a policy allows; [`Self::create`] does so by itself. A sandbox that was
    /// made without egress still reaches nothing.
    ///
    /// # Errors
    /// See [`CreateError`]; nothing is let through then.
    pub async fn permit(&self, taken: &Taken, policy: &NetworkPolicy) -> Result<(), CreateError> {
        start::permit(&self.shared, taken, policy).await
    }

    /// Makes a ghost of a used sandbox. Takes milliseconds, of which nobody should wait.
    ///
    /// # Errors
    /// Why it was destroyed instead.
    pub async fn repurpose(&self, dirty: Dirty) -> Result<Ghost, Reason> {
        dirty.repurpose(&self.shared).await
    }

    /// Puts a ghost into the pool, or destroys it if there are enough.
    pub fn put(&self, ghost: Ghost) {
        drop(self.shared.pool.put(ghost));
    }

    /// Ends a used sandbox in the way that [`crate::Sandbox::recycle`] does.
    pub async fn recycle(&self, dirty: Dirty) {
        recycle(&self.shared, dirty).await;
    }

    /// Destroys all ghosts that wait, and says how many; new ones are made in the background.
    pub fn drain(&self) -> usize {
        self.shared.pool.drain()
    }

    /// All sandboxes, in the order in which they were first made.
    pub fn sandboxes(&self) -> Vec<SandboxInfo> {
        self.shared.roster.list()
    }

    /// One of them, by the name of its control groups.
    pub fn sandbox(&self, id: &str) -> Option<SandboxInfo> {
        self.shared.roster.find(id)
    }

    /// What the pool has and has done.
    pub fn pool_stats(&self) -> PoolStats {
        self.shared.stats.read(self.shared.pool.len())
    }

    /// What all sandboxes together use of the memory, and what they may; `None` if the kernel does not tell.
    pub fn memory(&self) -> Option<crate::MemoryUse> {
        let mut memory = self.shared.tree.memory()?;
        memory.used_bytes = (memory.used_bytes).saturating_add(self.shared.uncharged.bytes());
        Some(memory)
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
    /// [`Sandbox`]es and ghosts that are still held must be destroyed or dropped, or this waits for them.
    pub async fn shutdown(self) {
        let Self {
            shared,
            nursery,
            filler,
            reaper_done,
        } = self;
        shared.pool.close();
        filler.end().await;
        let (network, tree) = (Arc::clone(&shared.network), Arc::clone(&shared.tree));
        nursery.end(&shared.nursery).await;
        // With the last sender gone, the reaper ends when its jobs are done.
        drop(shared);
        let _ = reaper_done.await;
        tree.remove();
        network.shutdown().await;
    }
}
