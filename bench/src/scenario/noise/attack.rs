//! The functions that take all that they can get, and the proof that one did.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use offshoot_testkit::{FunctionSpec, HttpConnection, request, zip_files};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

use crate::bench::{ACTIVE_LIMIT, Running};

const PROGRAM: &[u8] = include_bytes!("../../../attacks/noise.py");
/// How long an attack may take to end beyond its time.
const END_LIMIT: Duration = Duration::from_secs(30);
/// The limit of one invocation, in seconds, above the longest attack.
const TIMEOUT_S: u32 = 60;

/// One attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attack {
    /// The name of its handler, too.
    pub(super) name: &'static str,
    memory_mb: u32,
    /// The counts that must have moved, or it was none.
    evidence: &'static [&'static str],
    /// Whether the kernel may end the whole sandbox for it (cgroup v2, `memory.oom.group`).
    may_die: bool,
}

/// All attacks.
pub(super) const ATTACKS: [Attack; 7] = [
    Attack {
        may_die: true,
        ..attack("fork", 1024, &["forks", "refused"])
    },
    Attack {
        may_die: true,
        ..attack("memory", 256, &["killed"])
    },
    attack("inodes", 256, &["files", "refused"]),
    attack("descriptors", 128, &["opened", "refused"]),
    attack("log", 128, &["lines"]),
    attack("cache", 128, &["mib"]),
    attack("cpu", 128, &["cpu_ms"]),
];

const fn attack(name: &'static str, memory_mb: u32, evidence: &'static [&'static str]) -> Attack {
    Attack {
        name,
        memory_mb,
        evidence,
        may_die: false,
    }
}

/// What attacks counted, and when they ran.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    pub(super) counts: BTreeMap<String, u64>,
    /// How long they ran, in all.
    pub(super) ran: Duration,
    begun_ns: u64,
    ended_ns: u64,
}

/// What the function answers.
#[derive(Debug, Deserialize)]
struct Answer {
    begun_ns: u64,
    ended_ns: u64,
    counts: BTreeMap<String, u64>,
}

/// The clock that the functions tell, too: clones have no other one (`time_namespaces(7)`).
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Attack {
    pub(super) fn function(&self) -> String {
        format!("noise-{}", self.name)
    }

    /// Deploys it, and has it run for no time, so that a started instance waits.
    pub(super) fn deploy(&self, running: &Running) -> anyhow::Result<()> {
        let function = FunctionSpec {
            handler: format!("noise.{}", self.name),
            memory_mb: self.memory_mb,
            timeout_s: TIMEOUT_S,
            ..FunctionSpec::python(self.function())
        };
        let zip = zip_files(&[("noise.py", PROGRAM)])?;
        let client = running.client();
        running.block_on(async {
            client.create_function(&function, &zip).await?;
            client.wait(&function.name, ACTIVE_LIMIT).await
        })?;
        self.invoke(running.daemon.address(), Duration::ZERO)?
            .context("it ended before it began")?;
        Ok(())
    }

    /// Begins to run for `time`, on a thread of its own.
    pub(super) fn begin(self, address: SocketAddr, time: Duration) -> Begun {
        Begun(thread::spawn(move || self.run(address, time)))
    }

    /// Runs for a time: what the kernel ends before is begun again, what ends by itself is not.
    fn run(self, address: SocketAddr, time: Duration) -> anyhow::Result<Evidence> {
        let (begun, begun_ns) = (Instant::now(), now_ns());
        let mut found = Evidence::default();
        while begun.elapsed() < time {
            if let Some(answer) = self.invoke(address, time.saturating_sub(begun.elapsed()))? {
                found.add(answer);
                break;
            }
            found.died(begun_ns);
        }
        Ok(found)
    }

    /// One invocation; none if the kernel ended it, as it may.
    fn invoke(&self, address: SocketAddr, time: Duration) -> anyhow::Result<Option<Answer>> {
        let path = format!("/2015-03-31/functions/{}/invocations", self.function());
        let event = format!(r#"{{"seconds": {}}}"#, time.as_secs_f64());
        let mut connection = HttpConnection::connect(address, time + END_LIMIT)?;
        let answer = connection.exchange(&request("POST", &path, &[], event.as_bytes()))?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 200, "status {}: {text}", answer.status);
        if answer.header("x-amz-function-error").is_some() {
            ensure!(self.may_die, "the attack failed: {text}");
            return Ok(None);
        }
        serde_json::from_str(&text)
            .with_context(|| format!("the attack answered {text}"))
            .map(Some)
    }

    /// Requires that the attack ran from `begun_ns` to `ended_ns`, and got as far as it had to.
    pub(super) fn require(
        &self,
        found: &Evidence,
        begun_ns: u64,
        ended_ns: u64,
    ) -> anyhow::Result<()> {
        ensure!(
            found.begun_ns <= begun_ns && found.ended_ns >= ended_ns,
            "the attack did not run in all of the measured time: it began {} us late and ended {} us early",
            found.begun_ns.saturating_sub(begun_ns) / 1000,
            ended_ns.saturating_sub(found.ended_ns) / 1000,
        );
        for name in self.evidence {
            ensure!(
                found.counts.get(*name).is_some_and(|count| *count > 0),
                "the attack was none: it has no {name} in {:?}",
                found.counts
            );
        }
        Ok(())
    }
}

impl Evidence {
    fn add(&mut self, answer: Answer) {
        if self.begun_ns == 0 {
            self.begun_ns = answer.begun_ns;
        }
        self.ended_ns = answer.ended_ns;
        self.ran += Duration::from_nanos(answer.ended_ns.saturating_sub(answer.begun_ns));
        for (name, count) in answer.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }

    /// The kernel ended the whole sandbox, whose counts are lost.
    fn died(&mut self, begun_ns: u64) {
        let since = if self.ended_ns == 0 {
            begun_ns
        } else {
            self.ended_ns
        };
        let killed = BTreeMap::from([("killed".to_owned(), 1)]);
        self.add(Answer {
            begun_ns: since,
            ended_ns: now_ns(),
            counts: killed,
        });
    }

    /// Adds those of another round.
    pub(super) fn join(&mut self, other: &Self) {
        self.ran += other.ran;
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
    }
}

/// An attack under way.
#[derive(Debug)]
pub(super) struct Begun(JoinHandle<anyhow::Result<Evidence>>);

impl Begun {
    /// Waits for its end.
    pub(super) fn end(self) -> anyhow::Result<Evidence> {
        match self.0.join() {
            Ok(found) => found,
            Err(_) => bail!("the thread of the attack panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ran(begun_ns: u64, ended_ns: u64, counts: &[(&str, u64)]) -> Evidence {
        let mut found = Evidence::default();
        let counts = counts.iter().map(|(name, count)| ((*name).into(), *count));
        found.add(Answer {
            begun_ns,
            ended_ns,
            counts: counts.collect(),
        });
        found
    }

    #[test]
    fn attack_must_cover_the_measured_time_and_count_something() {
        let fork = ATTACKS[0];
        let counts = [("forks", 3), ("refused", 1)];
        fork.require(&ran(10, 30, &counts), 10, 30).unwrap();
        for late_or_early in [ran(11, 30, &counts), ran(10, 29, &counts)] {
            assert!(fork.require(&late_or_early, 10, 30).is_err());
        }
        let never_refused = ran(10, 30, &[("forks", 3), ("refused", 0)]);
        let error = fork.require(&never_refused, 10, 30).unwrap_err();
        assert!(error.to_string().contains("it has no refused"), "{error}");
    }

    #[test]
    fn sandbox_that_the_kernel_ended_counts_as_killed_from_where_the_last_one_ended() {
        let mut found = ran(5, 10, &[("killed", 2)]);
        found.died(7);
        assert_eq!(found.counts["killed"], 3);
        assert_eq!((found.begun_ns, found.ended_ns > 10), (5, true));
        let mut first = Evidence::default();
        first.died(7);
        assert_eq!(first.begun_ns, 7);
    }
}
