//! A neighbour and the daemon while one function takes all that it can get.
//!
//! Rounds of idle, attack, idle: in each, three are asked at the same pace (`probe`): a warm function, the daemon itself, and
//! the floor, the same handler as a plain process in a group beside the function's. So each figure has a baseline of
//! the same minute. An attack that did not run in all of the measured time, or did not get to its limit, fails the scenario.

mod attack;
mod beside;
mod probe;
mod waits;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use offshoot_testkit::request;

use super::platform::Platform;
use crate::baseline::UnixServer;
use crate::bench::{Bench, Running, invocation};
use crate::record::Recorder;
use crate::summary::{Samples, Summary};
use attack::{ATTACKS, Attack, Evidence, now_ns};
use beside::Beside;
use probe::{Probe, Way, ask_all};
use waits::waited;

const HEALTH: &str = "/offshoot/v1/health";
/// After so long an attack is under way: a fork bomb has all of its processes.
const LEAD: Duration = Duration::from_millis(500);
/// An attack goes on for so long after the measured time.
const TAIL: Duration = Duration::from_millis(200);
/// What an attack leaves to be cleared is cleared by then.
const SETTLE: Duration = Duration::from_millis(500);
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_millis(300);

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let attacks = wanted(&bench.args.workloads)?;
    let running = bench.daemon(&[])?;
    let mut stage = Stage::build(bench, &running)?;
    ask_all(&mut stage.probes, WARM_UP)?;
    let mut failed = Vec::new();
    for attack in attacks {
        if let Err(error) = measure(bench, &running, &mut stage, attack, recorder) {
            eprintln!("bench: noise/{} failed: {error:#}", attack.name);
            failed.push(format!("{}: {error:#}", attack.name));
        }
    }
    // The floor's process, and then its group, before the daemon clears its own.
    drop(stage);
    running.stop()?;
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// The attacks that are asked for; all if none is named.
fn wanted(names: &[String]) -> anyhow::Result<Vec<Attack>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| ATTACKS.iter().all(|attack| attack.name != **name))
    {
        let known = ATTACKS.map(|attack| attack.name).join(", ");
        bail!("there is no attack {unknown}; there are: {known}");
    }
    let is_wanted =
        |attack: &Attack| names.is_empty() || names.iter().any(|one| one == attack.name);
    Ok(ATTACKS.into_iter().filter(is_wanted).collect())
}

/// Who is asked, and the processes of each.
#[derive(Debug)]
struct Stage {
    probes: Vec<Probe>,
    pids: Vec<Vec<i32>>,
    // Behind the probes, as the floor's process is in it.
    _beside: Option<Beside>,
}

impl Stage {
    fn build(bench: &Bench<'_>, running: &Running) -> anyhow::Result<Self> {
        let echo = bench.echo()?;
        running.deploy(&echo)?;
        let neighbour = Platform {
            connection: running.connect()?,
            request: invocation(&echo, &[]),
        };
        let daemon = Platform {
            connection: running.connect()?,
            request: request("GET", HEALTH, &[], b""),
        };
        let mut floor = UnixServer::start(&echo)?;
        echo.check("floor", floor.call()?)?;
        let of_neighbour = waits::of_function(echo.name(), running.pid()?)?;
        let of_floor = vec![i32::try_from(floor.pid())?];
        // A program that plays the daemon has no processes of functions.
        let beside = of_neighbour
            .first()
            .map(|pid| Beside::make(*pid))
            .transpose()?;
        if let Some(beside) = &beside {
            beside.take_in(floor.pid())?;
        }
        let probe = |system, way| Probe { system, way };
        Ok(Self {
            probes: vec![
                probe("neighbour", Way::Http(neighbour)),
                probe("daemon", Way::Http(daemon)),
                probe("floor", Way::Bare(floor)),
            ],
            pids: vec![of_neighbour, vec![running.pid()?], of_floor],
            _beside: beside,
        })
    }

    /// Asks for a time and adds what was found.
    fn ask(&mut self, time: Duration, into: &mut Found) -> anyhow::Result<()> {
        let before = self.waited()?;
        let samples = ask_all(&mut self.probes, time)?;
        let after = self.waited()?;
        for (at, of_window) in samples.iter().enumerate() {
            into.samples[at].add(of_window);
            into.waited[at] += after[at].saturating_sub(before[at]);
        }
        Ok(())
    }

    fn waited(&self) -> anyhow::Result<Vec<Duration>> {
        self.pids.iter().map(|pids| waited(pids)).collect()
    }
}

/// What was found of each who was asked.
#[derive(Debug)]
struct Found {
    samples: Vec<Samples>,
    waited: Vec<Duration>,
}

impl Found {
    fn nothing(stage: &Stage) -> Self {
        Self {
            samples: stage
                .probes
                .iter()
                .map(|_| Samples::microseconds())
                .collect(),
            waited: vec![Duration::ZERO; stage.probes.len()],
        }
    }
}

fn measure(
    bench: &Bench<'_>,
    running: &Running,
    stage: &mut Stage,
    attack: Attack,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    attack.deploy(running)?;
    let rounds = bench.args.n_or(5, 1);
    let window = Duration::from_millis(if bench.args.quick { 200 } else { 1000 });
    let window = bench.args.seconds.map_or(window, Duration::from_secs);
    let (mut idle, mut noisy) = (Found::nothing(stage), Found::nothing(stage));
    let mut evidence = Evidence::default();
    for _ in 0..rounds {
        stage.ask(window / 2, &mut idle)?;
        evidence.join(&under_attack(running, stage, attack, window, &mut noisy)?);
        settle(running)?;
        stage.ask(window / 2, &mut idle)?;
    }
    running.block_on(running.client().delete(&attack.function()))?;
    settle(running)?;
    record(stage, attack, &idle, &noisy, &evidence, recorder)
}

/// One measured time while the attack runs; what it has to show for itself.
fn under_attack(
    running: &Running,
    stage: &mut Stage,
    attack: Attack,
    window: Duration,
    noisy: &mut Found,
) -> anyhow::Result<Evidence> {
    let begun = attack.begin(running.daemon.address(), LEAD + window + TAIL);
    thread::sleep(LEAD);
    let from_ns = now_ns();
    let asked = stage.ask(window, noisy);
    let found = begun.end()?;
    asked?;
    // Questions are asked so long; answers may come later.
    let to_ns = from_ns + window.as_nanos() as u64;
    attack.require(&found, from_ns, to_ns)?;
    Ok(found)
}

/// Waits until the daemon answers as fast as the machine lets it, several times in a row.
fn settle(running: &Running) -> anyhow::Result<()> {
    let begun = Instant::now();
    running.pause(SETTLE);
    let mut asked = running.connect()?;
    let health = request("GET", HEALTH, &[], b"");
    let mut quick = 0;
    while quick < 10 && begun.elapsed() < SETTLE_LIMIT {
        let sent = Instant::now();
        asked.exchange(&health)?;
        quick = if sent.elapsed() < Duration::from_millis(1) {
            quick + 1
        } else {
            0
        };
    }
    Ok(())
}

fn record(
    stage: &Stage,
    attack: Attack,
    idle: &Found,
    noisy: &Found,
    evidence: &Evidence,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let scenario = format!("noise/{}", attack.name);
    for (at, probe) in stage.probes.iter().enumerate() {
        let name = probe.system;
        let systems = [(name.to_owned(), noisy), (format!("{name}-idle"), idle)];
        for (system, found) in &systems {
            let times = found.samples[at].summary();
            recorder.record(&scenario, system, "latency_us", "us", times)?;
            let waited = found.waited[at].as_secs_f64() * 1e6 / times.n.max(1) as f64;
            let waited = Summary::single(times.n, (waited * 10.0).round() / 10.0);
            recorder.record(&scenario, system, "wait_us", "us", waited)?;
        }
        let [with, without] = [noisy, idle].map(|found| found.samples[at].summary());
        let ratio = slowdown(&with, &without);
        recorder.record(&scenario, name, "p99_over_idle", "ratio", ratio)?;
    }
    for (name, count) in &evidence.counts {
        let rate = *count as f64 / evidence.ran.as_secs_f64().max(f64::MIN_POSITIVE);
        let ran_s = evidence.ran.as_secs();
        let metric = format!("{name}_per_s");
        recorder.record(
            &scenario,
            "attacker",
            &metric,
            "1/s",
            Summary::single(ran_s, rate.round()),
        )?;
    }
    Ok(())
}

/// How many times as long the slowest of a hundred take.
fn slowdown(with: &Summary, without: &Summary) -> Summary {
    let ratio = with.p99 / without.p99.max(f64::MIN_POSITIVE);
    Summary::single(with.n, (ratio * 100.0).round() / 100.0)
}
