//! A launcher in this process, with a function whose code is prepared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use offshoot_sandbox::{
    Account, CodeDirs, Dirty, Ghost, Hand, Launcher, LauncherConfig, NetworkPolicy, Reason,
    SandboxInfo, SandboxSpec, State, Taken, sweep,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::joiner;
use crate::bench::Bench;

/// The first argument with which the measured program is a nursery.
const NURSERY: &str = "__nursery";
/// The memory of a small function.
pub(super) const MEMORY_BYTES: u64 = 256 << 20;
const PREFIX: &str = "bench-";
/// How long ghosts may take to be made, or to go.
const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(5);
/// What the pool's threads and the kernel do after the last ghost was made.
const CALM: Duration = Duration::from_millis(100);

/// What a step stands on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) launcher: Arc<Launcher>,
    pub(super) spec: SandboxSpec,
    /// The program of [`joiner::Joiner`].
    pub(super) joiner: PathBuf,
    ghosts: usize,
    owner: String,
    // Behind the launcher, whose tasks run on it.
    runtime: Runtime,
    _folder: TempDir,
}

impl Ground {
    /// Does something with a pool of so many unused ghosts, which are not all there yet; then everything is removed, also after
    /// a failure.
    pub(super) fn with<T>(
        bench: &Bench<'_>,
        ghosts: usize,
        work: impl FnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let ground = Self::start(bench, ghosts)?;
        let result = work(&ground);
        let cleared = ground.clear();
        let result = result?;
        cleared?;
        Ok(result)
    }

    fn start(bench: &Bench<'_>, ghosts: usize) -> anyhow::Result<Self> {
        raise_descriptor_limit();
        sweep_abandoned();
        let folder = tempfile::tempdir()?;
        let task = folder.path().join("task");
        fs::create_dir(&task)?;
        fs::write(
            task.join("app.py"),
            "def handler(event, context): return event\n",
        )?;
        let joiner = joiner::compile(folder.path())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            // Threads that have nothing to do any more shall not be taken for left-overs.
            .thread_keep_alive(Duration::from_secs(1))
            .build()?;
        let owner = new_owner();
        let config = LauncherConfig {
            nursery_exe: bench.program().to_owned(),
            nursery_arg: NURSERY.into(),
            ghosts,
            ..LauncherConfig::new(&owner)
        };
        let spec = spec(&task, &config);
        let started = runtime.block_on(Launcher::start(config));
        Ok(Self {
            launcher: Arc::new(started.context("cannot start a launcher; are you root?")?),
            spec,
            joiner,
            ghosts,
            owner,
            runtime,
            _folder: folder,
        })
    }

    /// Waits until the filler has made all ghosts, and rests.
    pub(super) fn await_filled(&self) -> anyhow::Result<()> {
        let unused = || {
            let sandboxes = self.launcher.sandboxes();
            let is_unused =
                |sandbox: &&SandboxInfo| sandbox.state == State::Ghost && sandbox.account.is_none();
            sandboxes.iter().filter(is_unused).count()
        };
        wait_until("the pool is not filled", || unused() >= self.ghosts)?;
        std::thread::sleep(CALM);
        Ok(())
    }

    /// A ghost of the pool, made the function's.
    pub(super) fn take(&self, hand: &Hand) -> anyhow::Result<Taken> {
        let ghost = self.launcher.pop(&self.spec.account, false);
        Ok(self
            .launcher
            .take(hand, ghost.context("the pool is empty")?, &self.spec)?)
    }

    /// A ghost that is made now.
    pub(super) fn ghost(&self) -> anyhow::Result<Ghost> {
        let launcher = Arc::clone(&self.launcher);
        Ok(self.wait_for(async move { launcher.ghost(false).await })??)
    }

    /// Makes a ghost of a used sandbox.
    pub(super) fn repurpose(&self, dirty: Dirty) -> anyhow::Result<Result<Ghost, Reason>> {
        let launcher = Arc::clone(&self.launcher);
        self.wait_for(async move { launcher.repurpose(dirty).await })
    }

    /// Has the runtime's threads do something. Not the calling one: what tokio needs blocking threads for it would start from
    /// there, and a hand that has started a thread shares its root with it and can enter no sandbox any more.
    fn wait_for<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let handle = self.runtime.handle();
        Ok(handle.block_on(handle.spawn(future))?)
    }

    /// Removes everything, and says if something is left.
    fn clear(self) -> anyhow::Result<()> {
        let Some(launcher) = Arc::into_inner(self.launcher) else {
            bail!("the launcher is still in use");
        };
        self.runtime.block_on(launcher.shutdown());
        let left = groups_of(&self.owner);
        ensure!(left.is_empty(), "control groups were left behind: {left:?}");
        Ok(())
    }
}

/// Each launcher of this process has an owner of its own: what one has left is not taken for the next one's.
fn new_owner() -> String {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{number}", std::process::id())
}

/// What a small function has; host name and size of `/tmp` are those for which ghosts are made ahead.
fn spec(task: &Path, config: &LauncherConfig) -> SandboxSpec {
    SandboxSpec {
        id: "bench".into(),
        account: Account::from("bench"),
        argv: vec!["/bin/true".into()],
        env: Vec::new(),
        cwd: "/".into(),
        hostname: config.ghost_hostname.clone(),
        memory_bytes: MEMORY_BYTES,
        tmp_bytes: config.ghost_tmp_bytes,
        code: CodeDirs {
            task: Some(task.to_owned()),
            layers: Vec::new(),
        },
        network: NetworkPolicy::None,
        runtime_api: false,
    }
}

/// Polls, as what it waits for has no event.
pub(super) fn wait_until(what: &str, is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_so() {
        ensure!(begun.elapsed() < LIMIT, "{what} after {LIMIT:?}");
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// A sandbox holds nine descriptors where control groups are of version 1.
fn raise_descriptor_limit() {
    let now = getrlimit(Resource::Nofile);
    let limit = |most| Rlimit {
        current: most,
        maximum: most,
    };
    if setrlimit(Resource::Nofile, limit(Some(1 << 20))).is_err() {
        let _ = setrlimit(Resource::Nofile, limit(now.maximum));
    }
}

/// Removes what benchmarks left that were killed.
fn sweep_abandoned() {
    for name in groups_of(PREFIX).iter().filter_map(|path| path.file_name()) {
        let name = name.to_string_lossy();
        let pid = name.strip_prefix(PREFIX).unwrap_or_default();
        let pid = pid.split_once('-').map_or(pid, |(pid, _)| pid);
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            sweep(&name);
        }
    }
}

/// The launchers' directories of control groups whose names begin so.
fn groups_of(prefix: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let below = fs::read_dir(root).into_iter().flatten().flatten();
    let hierarchies = below.map(|entry| entry.path()).chain([root.to_owned()]);
    let launchers = hierarchies.flat_map(|hierarchy| fs::read_dir(hierarchy.join("offshoot")));
    let paths = launchers.flatten().flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        path.is_dir() && name.to_string_lossy().starts_with(prefix)
    };
    paths.filter(named).collect()
}
