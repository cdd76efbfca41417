//! The node itself: the launcher of sandboxes, the logs, and what runs in the background.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use offshoot_sandbox::Launcher;
use offshoot_seed::Forge;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::credentials::Purpose;
use crate::memory::has_idle_processor;
use crate::seeds::keep::warm;
use crate::seeds::make::{learn, make, renew};
use crate::seeds::templates::grow;
use crate::seeds::{CloneInfo, Clones, SeedInfo, Seeds, Version};
use crate::wakefulness::Wakefulness;
use crate::{
    Activated, CreateFailure, Event, Failure, Fri, Instance, InstanceSpec, LogBook, MachineReading,
    Memory, NodeError, Outcome, Reply, Roles, Rung, RuntimeSeed, SecretRules, Seeding, Share,
    TemplateInfo, activate, crowd, fork, level1, logs, seeds,
};

/// How long extensions have to end when their sandbox does (Lambda grants 2 s to sandboxes with extensions).
const EXTENSION_GRACE: Duration = Duration::from_secs(2);

/// What a node is made of.
#[derive(Debug)]
pub struct NodeConfig {
    /// Makes the sandboxes. Its `runtime_dir` is the folder of our bootstraps ([`crate::install_runtimes`]), its
    /// `ghost_hostname` [`HOSTNAME`](crate::HOSTNAME).
    pub launcher: Launcher,
    /// Where functions' output goes.
    pub logs: Arc<LogBook>,
    /// Without it, there are no seeds.
    pub seeds: Option<SeedConfig>,
    /// What sandboxes and templates may use of the memory, in bytes; without it, what the machine can spare.
    pub memory_bytes: Option<u64>,
    /// Whose credentials functions get.
    pub roles: Roles,
    /// Whether idle CPUs are kept from sleeping while events flow.
    pub stay_awake: bool,
}

/// Who makes seeds, and how many are kept at hand.
#[derive(Debug)]
pub struct SeedConfig {
    /// Makes images and templates.
    pub forge: Forge,
    /// How many templates are kept; beyond, the one that was used least lately ends, and its image stays.
    pub resident: usize,
    /// How much of the disk images may take, in bytes; beyond, those that were used least lately are removed.
    pub disk_bytes: u64,
    /// What must not be in their images.
    pub secrets: SecretRules,
    /// Whether runtimes get seeds, in whose clones functions initialise that have none.
    pub of_runtimes: bool,
}

/// A node of one machine. Clones are the same node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Taken at the end.
    launcher: Arc<RwLock<Option<Arc<Launcher>>>>,
    logs: Arc<LogBook>,
    seeds: Option<Arc<Seeds>>,
    memory_bytes: Option<u64>,
    roles: Roles,
    clones: Arc<Clones>,
    created: Arc<AtomicU64>,
    ending: TaskTracker,
    /// Ends work for which nobody waits.
    closing: CancellationToken,
    wakefulness: Arc<Wakefulness>,
}

impl Node {
    /// A node.
    pub fn new(config: NodeConfig) -> Self {
        Self {
            launcher: Arc::new(RwLock::new(Some(Arc::new(config.launcher)))),
            logs: config.logs,
            memory_bytes: config.memory_bytes,
            seeds: config
                .seeds
                .map(|seeds| Arc::new(Seeds::new(seeds, config.roles.clone()))),
            roles: config.roles,
            clones: Arc::default(),
            created: Arc::default(),
            ending: TaskTracker::new(),
            closing: CancellationToken::new(),
            wakefulness: Wakefulness::new(config.stay_awake),
        }
    }

    /// Waits until every sandbox that is being ended is gone, then ends the nursery. Instances that still run
    /// end with it, and none can be made any more.
    pub async fn shut_down(&self) {
        self.closing.cancel();
        self.ending.close();
        self.ending.wait().await;
        let launcher = self
            .launcher
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match launcher.and_then(Arc::into_inner) {
            Some(launcher) => launcher.shutdown().await,
            None => tracing::warn!("a sandbox was being made; it ends with this process"),
        }
    }

    /// Where functions' output goes.
    pub fn logs(&self) -> &Arc<LogBook> {
        &self.logs
    }

    /// Waits until no sandbox can be made any more, because the nursery has ended.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let ended = self.launcher().map(|launcher| launcher.ended());
        async move {
            if let Some(ended) = ended {
                ended.await;
            }
        }
    }

    /// Who makes its sandboxes, for operators; `None` when it is shut down.
    pub fn launcher(&self) -> Option<Arc<Launcher>> {
        self.launcher
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn seeds(&self) -> Option<&Seeds> {
        self.seeds.as_deref()
    }

    pub(crate) fn roles(&self) -> &Roles {
        &self.roles
    }

    /// What is known of the seeds of versions that were invoked or published in this daemon's life, for operators.
    pub fn seed_infos(&self) -> Vec<SeedInfo> {
        self.seeds().map_or_else(Vec::new, Seeds::infos)
    }

    pub(crate) fn memory_limit(&self) -> Option<u64> {
        self.memory_bytes
    }

    /// Removes the seeds of versions that an earlier daemon knew and that are gone, or changed: `specs` is all there are.
    pub async fn collect_seeds(&self, specs: &[InstanceSpec]) {
        if let Some(seeds) = self.seeds() {
            seeds.keep_only(specs).await;
        }
    }

    /// The clones that live, for operators.
    pub fn clone_infos(&self) -> Vec<CloneInfo> {
        self.clones.infos()
    }

    pub(crate) fn clones(&self) -> &Arc<Clones> {
        &self.clones
    }

    pub(crate) fn wakefulness(&self) -> &Arc<Wakefulness> {
        &self.wakefulness
    }

    /// A name for the next sandbox, unique in this daemon's life.
    pub(crate) fn next_id(&self) -> String {
        format!("i{:06x}", self.created.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the seed of a function's runtime in the background, if it is not there and could be.
    pub(crate) fn seed_runtime(&self, spec: Arc<InstanceSpec>) {
        let Some(runtime) = self.seeds().and_then(|seeds| seeds.runtime(&spec)) else {
            return;
        };
        if !runtime.is_wanted() {
            return;
        }
        let node = self.clone();
        self.in_background(async move {
            if let Some(seeds) = node.seeds() {
                // It says itself why there is none.
                let _ = seeds::runtime::make(&node, seeds, spec).await;
            }
        });
    }

    /// Gives a seed another template in the background.
    pub(crate) fn grow(&self, version: Arc<Version>, spec: Arc<InstanceSpec>) {
        let node = self.clone();
        self.in_background(async move {
            if let Some(seeds) = node.seeds() {
                grow(&node, seeds, &version, &spec).await;
            }
        });
    }

    /// Does what nobody waits for. It is dropped when the daemon ends: what it has made so far ends with it.
    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        self.ending.spawn(closing.run_until_cancelled_owned(work));
    }

    /// Has a seed learn of a watched clone in the background, and ends that.
    pub(crate) fn learn(&self, instance: Instance, version: Arc<Version>) {
        let (seeds, launcher, id) = (self.seeds.clone(), self.launcher(), self.next_id());
        self.ending.spawn(async move {
            if let (Some(seeds), Some(launcher)) = (seeds, launcher) {
                learn(&seeds, &launcher, id, &instance, &version).await;
            }
            end(instance).await;
        });
    }

    /// Ends an instance in the background: nobody waits for the kernel to tidy up.
    pub(crate) fn end(&self, instance: Instance) {
        self.ending.spawn(end(instance));
    }
}

impl Fri for Node {
    type Instance = Share;

    async fn create(&self, spec: Arc<InstanceSpec>) -> Result<Share, CreateFailure> {
        let created = level1::create(self, spec, Purpose::Events).await;
        created.map(Share::Alone)
    }

    async fn fork(
        &self,
        spec: Arc<InstanceSpec>,
        parked: bool,
        memory: Memory,
    ) -> Result<Option<Share>, NodeError> {
        let forked = fork::fork(self, spec, parked, memory).await?;
        Ok(forked.map(Share::Alone))
    }

    fn seed(
        &self,
        spec: Arc<InstanceSpec>,
    ) -> impl Future<Output = Result<Seeding, CreateFailure>> + Send {
        make(self, spec)
    }

    fn renew(
        &self,
        spec: Arc<InstanceSpec>,
    ) -> impl Future<Output = Result<Seeding, CreateFailure>> + Send {
        renew(self, spec)
    }

    fn warm(
        &self,
        spec: Arc<InstanceSpec>,
        memory: Memory,
    ) -> impl Future<Output = Result<bool, NodeError>> + Send {
        warm(self, spec, memory)
    }

    fn chill(&self, spec: &InstanceSpec) {
        let chilled = self.seeds().map_or(Ok(()), |seeds| seeds.chill(spec));
        if let Err(error) = chilled {
            tracing::warn!(function = &*spec.function, %error, "a template stays");
        }
    }

    fn templates(&self) -> Vec<TemplateInfo> {
        self.seeds().map_or_else(Vec::new, Seeds::templates)
    }

    fn runtime_seed(&self, spec: &InstanceSpec) -> Option<RuntimeSeed> {
        self.seeds()?.runtime_info(spec)
    }

    async fn renew_runtime(&self, spec: Arc<InstanceSpec>) -> Result<Seeding, CreateFailure> {
        match self.seeds() {
            Some(seeds) => seeds::rotation::renew(self, seeds, spec).await,
            None => Ok(Seeding::Refused("seeds are switched off".into())),
        }
    }

    async fn runtime_seeds_changed(&self) {
        match self.seeds() {
            Some(seeds) => seeds.runtimes_changed().await,
            None => std::future::pending().await,
        }
    }

    fn image_bytes(&self, spec: &InstanceSpec) -> Option<u64> {
        self.seeds()?.image_bytes(spec)
    }

    async fn forget_seeds(
        &self,
        function: Arc<str>,
        version: Option<Arc<str>>,
        now: Option<Arc<InstanceSpec>>,
    ) {
        if let Some(seeds) = &self.seeds {
            let version = version.as_deref();
            seeds.forget(&function, version, now.as_deref()).await;
        }
    }

    fn share(&self, instance: Share) -> (Share, Share) {
        instance.share(self)
    }

    async fn activate(&self, instance: Share, event: Event, reply: Reply) -> Activated<Share> {
        match instance {
            Share::Alone(instance) => {
                let activated = activate::activate(self, instance, event, reply).await;
                activated.map(Share::Alone)
            }
            Share::OfMany(crowd) => crowd::activate(crowd, event, reply).await,
        }
    }

    async fn retire(&self, instance: Share) {
        match instance {
            Share::Alone(instance) => end(instance).await,
            Share::OfMany(crowd) => crowd.end().await,
        }
    }

    fn is_alive(&self, instance: &Share) -> bool {
        match instance {
            Share::Alone(instance) => instance.sandbox.exited().now_or_never().is_none(),
            Share::OfMany(crowd) => crowd.is_open(),
        }
    }

    fn rung(&self, instance: &Share) -> Rung {
        match instance {
            Share::Alone(instance) => instance.birth.map_or(Rung::Hot, |birth| birth.rung),
            Share::OfMany(_) => Rung::Hot,
        }
    }

    fn own_bytes(&self, instance: &Share) -> Option<u64> {
        match instance {
            Share::Alone(instance) => instance.sandbox.peak_memory_bytes(),
            Share::OfMany(crowd) => crowd.peak_bytes(),
        }
    }

    fn read_machine(&self) -> MachineReading {
        Self::read_machine(self)
    }

    fn has_idle_processor(&self) -> bool {
        has_idle_processor()
    }

    fn report_init_failure(&self, spec: &InstanceSpec, event: &Event, failure: Failure) -> Outcome {
        let failure = failure.of_request(&event.request_id);
        let mut scribe = logs::Scribe::new(Arc::clone(self.logs()), spec, "init".to_owned());
        scribe.start(event, true);
        let report = logs::Report {
            duration: Duration::ZERO,
            start: None,
            memory_mb: spec.memory_mb,
            peak_memory: logs::Peak::Bytes(0),
            status: activate::report_status(&failure),
        };
        let (log_tail, log) = scribe.end(event, report);
        Outcome {
            answer: crate::Answer::Failure(failure),
            stages: crate::Stages {
                queue_us: event.queued.as_micros() as u64,
                ..Default::default()
            },
            rung: Rung::Cold,
            duration: Duration::ZERO,
            log_tail,
            log,
        }
    }
}

/// Lets extensions end, then ends the sandbox.
pub(crate) async fn end(instance: Instance) {
    let Instance {
        sandbox,
        transport,
        scribe,
        credentials,
        listed,
        ..
    } = instance;
    let deadline = SystemTime::now() + EXTENSION_GRACE;
    let deadline_ms = deadline
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    if sandbox.exited().now_or_never().is_none() && transport.shut_down_extensions(deadline_ms) {
        let _ = tokio::time::timeout(EXTENSION_GRACE, sandbox.exited()).await;
    }
    // Before its channel is closed: a runtime that sees that would still run to its own end.
    sandbox.kill();
    drop((transport, scribe, credentials, listed));
    sandbox.recycle().await;
}
