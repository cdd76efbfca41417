//! The functions of a trace, deployed once: all systems run on the same state directory, one after the other.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::plan::Plan;
use super::seeding;
use crate::bench::{ACTIVE_LIMIT, Bench, Running, invocation_of};
use crate::interrupt;
use crate::workload::{self, Workload};

/// The answer says where its instance came from, and how long its handler took.
const WISH: (&str, &str) = ("x-offshoot-stages", "1");
/// Between two lines about how far it is.
const PROGRESS: Duration = Duration::from_secs(10);
/// In the state directory: the images.
const SEEDS: &str = "seeds";
const HIDDEN: &str = "seeds-hidden";

/// Deployed functions without a daemon.
#[derive(Debug)]
pub(super) struct Fleet {
    folder: TempDir,
    /// For each function of the plan.
    pub(super) requests: Vec<Vec<u8>>,
}

impl Fleet {
    /// Deploys the functions of a plan.
    pub(super) fn deploy(bench: &Bench<'_>, plan: &Plan) -> anyhow::Result<Self> {
        let workloads = workloads(bench, plan)?;
        let folder = tempfile::Builder::new()
            .prefix("offshoot-trace-")
            .tempdir()?;
        let requests = plan.functions.iter().map(|function| {
            let event = &workloads[function.workload].0.event;
            invocation_of(&function.name, &[WISH], event)
        });
        let fleet = Self {
            requests: requests.collect(),
            folder,
        };
        let running = fleet.start(bench, &[("OFFSHOOT_SEEDS_AFTER_EVENTS", "0".into())])?;
        deploy_all(&running, plan, &workloads)?;
        running.stop()?;
        Ok(fleet)
    }

    /// A daemon that has them.
    pub(super) fn start(
        &self,
        bench: &Bench<'_>,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Running> {
        let settings = settings.iter();
        let settings = settings.map(|(name, value)| ((*name).to_owned(), value.clone()));
        bench.daemon_on(settings.collect(), Some(self.state()))
    }

    /// Has seeds made of all functions, so that they are there as those of functions that were deployed long ago.
    pub(super) fn seed(&self, bench: &Bench<'_>, plan: &Plan) -> anyhow::Result<seeding::Seeded> {
        let settings = [
            ("OFFSHOOT_SEEDS_AFTER_EVENTS", "1".to_owned()),
            ("OFFSHOOT_SEEDS_PARKED", "0".to_owned()),
            ("OFFSHOOT_LIMITS_KEEP_ALIVE_S", "0".to_owned()),
        ];
        let running = self.start(bench, &settings)?;
        let mut seeded = seeding::seed(&running, plan, &self.requests, self.folder.path())?;
        running.stop()?;
        seeded.stored_bytes = allocated(&self.state().join(SEEDS))?;
        Ok(seeded)
    }

    /// Whether the next daemon finds the images.
    pub(super) fn show_seeds(&self, shown: bool) -> anyhow::Result<()> {
        let (from, to) = if shown {
            (HIDDEN, SEEDS)
        } else {
            (SEEDS, HIDDEN)
        };
        let (from, to) = (self.state().join(from), self.state().join(to));
        if !from.exists() {
            return Ok(());
        }
        // What a daemon without seeds has made instead holds nothing.
        remove(&to)?;
        fs::rename(&from, &to).with_context(|| format!("cannot rename {}", from.display()))
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }
}

/// What a folder takes on disk. The daemon does not say it of images that it has not opened.
fn allocated(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += found.blocks() * 512;
        if found.is_dir() {
            bytes += allocated(&entry.path())?;
        }
    }
    Ok(bytes)
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

type Packed = BTreeMap<&'static str, (Workload, Vec<u8>)>;

/// The workloads that a plan needs, built and packed.
fn workloads(bench: &Bench<'_>, plan: &Plan) -> anyhow::Result<Packed> {
    let mut packed = Packed::new();
    for function in &plan.functions {
        if packed.contains_key(function.workload) {
            continue;
        }
        let wanted = [function.workload.to_owned()];
        let mut found = workload::load(&bench.args.workloads_dir, &wanted, false)?;
        let workload = found.pop().context("a workload is missing")?;
        let zip = workload.zip()?;
        packed.insert(function.workload, (workload, zip));
    }
    Ok(packed)
}

fn deploy_all(running: &Running, plan: &Plan, packed: &Packed) -> anyhow::Result<()> {
    let client = running.client();
    let mut told = Instant::now();
    for (number, function) in plan.functions.iter().enumerate() {
        interrupt::check()?;
        let (workload, zip) = &packed[function.workload];
        let mut spec = workload.function.clone();
        spec.name.clone_from(&function.name);
        running.block_on(async {
            client.create_function(&spec, zip).await?;
            client.wait(&spec.name, ACTIVE_LIMIT).await
        })?;
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            eprintln!(
                "bench: {} of {} functions deployed",
                number + 1,
                plan.functions.len()
            );
        }
    }
    check_one_of_each(running, plan, packed)
}

/// A right answer from one function of each workload: afterwards only errors are looked for.
fn check_one_of_each(running: &Running, plan: &Plan, packed: &Packed) -> anyhow::Result<()> {
    for (name, (workload, _)) in packed {
        let mut functions = plan.functions.iter();
        let Some(function) = functions.find(|function| function.workload == *name) else {
            continue;
        };
        let client = running.client();
        let answer = running.block_on(client.invoke(&function.name, workload.event.clone()))?;
        ensure!(
            answer.function_error().is_none(),
            "{name} failed: {}",
            String::from_utf8_lossy(&answer.payload)
        );
        workload.check("offshoot", &answer.payload)?;
    }
    // Its instances are in nobody's way, but their ends would be.
    thread::sleep(Duration::from_millis(200));
    Ok(())
}
