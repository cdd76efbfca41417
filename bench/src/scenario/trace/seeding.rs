//! Has every function's seed made before a replay.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Deserialize;

use super::plan::Plan;
use crate::bench::Running;
use crate::interrupt;

/// Seeds that are made at the same time.
const AT_ONCE: usize = 8;
/// So long may so many take.
const LIMIT: Duration = Duration::from_secs(60);
/// What a first clone has taught is stored by then, or it taught nothing.
const LEARNING: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
const PROGRESS: Duration = Duration::from_secs(10);
const PAGE: &str = "/offshoot/v1/seeds";

/// So much of the disk is left to others.
const SPARE_BYTES: u64 = 1 << 30;

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Seeded {
    /// Functions that have a seed.
    pub(super) seeds: u64,
    /// Functions that cannot have one, by the reason.
    pub(super) refused: BTreeMap<String, u64>,
    /// What the images take on disk.
    pub(super) stored_bytes: u64,
    pub(super) took: Duration,
}

/// What the daemon says of a version's seed. What it says beyond this is not needed here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Seed {
    function: String,
    state: String,
    learnt: Option<bool>,
    reason: Option<String>,
}

impl Seed {
    fn is_there(&self) -> bool {
        matches!(self.state.as_str(), "stored" | "resident")
    }

    fn is_settled(&self) -> bool {
        self.is_there() || self.state == "refused"
    }
}

/// Invokes each function until it has a seed that knows what clones need, or cannot have one. The daemon's settings are such
/// that one event is enough, and that every event meets a new instance. `folder` is where the images go.
pub(super) fn seed(
    running: &Running,
    plan: &Plan,
    requests: &[Vec<u8>],
    folder: &Path,
) -> anyhow::Result<Seeded> {
    let begun = Instant::now();
    let mut told = begun;
    let names: Vec<_> = plan.functions.iter().map(|one| &*one.name).collect();
    let batches = requests.chunks(AT_ONCE).zip(names.chunks(AT_ONCE));
    for (number, (batch, names)) in batches.enumerate() {
        interrupt::check()?;
        require_space(folder)?;
        invoke(running, batch)?;
        wait(running, LIMIT, names, Seed::is_settled)?;
        invoke(running, batch)?;
        wait(running, LEARNING, names, |seed| {
            seed.learnt == Some(true) || !seed.is_there()
        })?;
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            let so_far = number * AT_ONCE + batch.len();
            eprintln!(
                "bench: {so_far} of {} functions have been seeded",
                plan.functions.len()
            );
        }
    }
    let mut seeded = summed(&seeds(running)?);
    seeded.took = begun.elapsed();
    ensure!(
        seeded.seeds > 0,
        "no function has a seed: {:?}",
        seeded.refused
    );
    Ok(seeded)
}

/// Images of hundreds of functions are gigabytes: the disk is not filled.
fn require_space(folder: &Path) -> anyhow::Result<()> {
    let found = rustix::fs::statvfs(folder)?;
    let free_bytes = found.f_bavail * found.f_frsize;
    ensure!(
        free_bytes > SPARE_BYTES,
        "seeds need more room than there is in {}: {} MiB are free; take fewer functions (--minutes), or set TMPDIR",
        folder.display(),
        free_bytes >> 20
    );
    Ok(())
}

fn summed(seeds: &[Seed]) -> Seeded {
    let mut sum = Seeded::default();
    for seed in seeds {
        if seed.is_there() {
            sum.seeds += 1;
        } else {
            let reason = seed.reason.clone().unwrap_or_else(|| seed.state.clone());
            *sum.refused.entry(reason).or_default() += 1;
        }
    }
    sum
}

fn invoke(running: &Running, requests: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut connection = running.connect()?;
    for request in requests {
        let status = connection.exchange(request)?.status;
        ensure!(status == 200, "status {status} while seeds are made");
    }
    Ok(())
}

/// Waits until those of these functions are as wanted. In time, or not: what is not seeded then starts cold.
fn wait(
    running: &Running,
    limit: Duration,
    functions: &[&str],
    is_good: impl Fn(&Seed) -> bool,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let all = seeds(running)?;
        let is_wanted = |seed: &&Seed| functions.contains(&&*seed.function) && is_good(seed);
        let good = all.iter().filter(is_wanted).count();
        if good >= functions.len() || begun.elapsed() > limit {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
}

fn seeds(running: &Running) -> anyhow::Result<Vec<Seed>> {
    #[derive(Deserialize)]
    struct Answer {
        seeds: Vec<Seed>,
    }
    let answer: Answer = serde_json::from_value(running.page(PAGE)?)?;
    Ok(answer.seeds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn seeds_are_counted_and_refusals_keep_their_reason() {
        let text = r#"[
            {"function": "a", "state": "resident", "storedBytes": 10, "learnt": true},
            {"function": "b", "state": "stored", "storedBytes": 5, "other": {}},
            {"function": "c", "state": "refused", "reason": "a TCP connection"},
            {"function": "d", "state": "none"}
        ]"#;
        let seeds: Vec<Seed> = serde_json::from_str(text).unwrap();
        let sum = summed(&seeds);
        assert_eq!((sum.seeds, &*seeds[0].function), (2, "a"));
        let refused = [("a TCP connection", 1), ("none", 1)];
        let refused = refused.map(|(reason, count)| (reason.to_owned(), count));
        assert_eq!(sum.refused, BTreeMap::from(refused));
        assert!(seeds[2].is_settled() && !seeds[3].is_settled());
    }
}
