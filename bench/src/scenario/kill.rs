//! Accepted events survive a daemon that is killed again and again.
//!
//! Clients hand over events while another thread kills the daemon (`SIGKILL`) and starts it anew. An event is
//! accepted when its 202 was read; one whose connection broke is sent again and gets another request id. When the
//! queue is empty the log tells which events were run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::future::try_join_all;
use offshoot_testkit::{ClientError, Daemon, LambdaClient};

use super::oracle::{Verdict, Witness};
use crate::bench::{Bench, Running};
use crate::record::Recorder;
use crate::summary::{Samples, Summary};
use crate::workload::Workload;

const CLIENTS: u64 = 8;
/// No segment of the log is closed, so that nothing is dropped.
const LOG_SETTING: (&str, &str) = ("OFFSHOOT_LOGS_SEGMENT_BYTES", "1073741824");
/// Attempts after the first that a failing event has.
const RETRIES: u64 = 2;
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// A client gives up if nothing is accepted for so long.
const ACCEPT_LIMIT: Duration = Duration::from_secs(60);
const DRAIN_LIMIT: Duration = Duration::from_secs(600);
/// The lines of the last events are written by then.
const LOG_SETTLE: Duration = Duration::from_millis(500);

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let (n, kills) = (
        bench.args.n_or(10_000, 500),
        if bench.args.quick { 3 } else { 20 },
    );
    let echo = bench.echo()?;
    let mut running = bench.daemon(&[LOG_SETTING])?;
    running.deploy(&echo)?;
    let begun = Instant::now();
    let (accepted, restarts) = send_and_kill(&mut running.daemon, &echo, n, kills)?;
    eprintln!(
        "bench: {n} events were accepted in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    let dead = drain(&running)?;
    eprintln!(
        "bench: the queue was empty after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    thread::sleep(LOG_SETTLE);

    let witness = Witness::read(&running.daemon.state_dir().join("logs"))
        .context("cannot read the logs of the functions")?;
    let verdict = witness.judge(&accepted, 1 + RETRIES + kills);
    // An event that was given up is in the dead letters; the count does not say which one it is.
    let lost = (verdict.lost.len() as u64).saturating_sub(dead);
    let figure = |value: u64| Summary::single(n, value as f64);
    recorder.record("async/kill", "offshoot", "lost", "events", figure(lost))?;
    let excess = verdict.excess.len() as u64;
    recorder.record("async/kill", "offshoot", "excess", "events", figure(excess))?;
    recorder.record(
        "async/kill",
        "offshoot",
        "repeats",
        "runs",
        figure(verdict.repeats),
    )?;
    recorder.record(
        "async/kill",
        "offshoot",
        "most_runs",
        "runs",
        figure(verdict.most_starts),
    )?;
    recorder.record(
        "async/kill",
        "offshoot",
        "restart_us",
        "us",
        restarts.summary(),
    )?;
    running.stop()?;
    require(&verdict, &witness, lost)
}

/// Gives the request ids of `n` accepted events, and how long each restart took.
fn send_and_kill(
    daemon: &mut Daemon,
    echo: &Workload,
    n: u64,
    kills: u64,
) -> anyhow::Result<(Vec<String>, Samples)> {
    let traffic = Traffic {
        base_url: daemon.base_url(),
        n,
        ..Traffic::default()
    };
    thread::scope(|scope| {
        let senders = scope.spawn(|| traffic.send(echo));
        let restarts = kill_evenly(daemon, &traffic, kills);
        if restarts.is_err() {
            traffic.stopped.store(true, Ordering::Relaxed);
        }
        let sent = senders
            .join()
            .map_err(|_| anyhow::anyhow!("the sending thread panicked"))?;
        // A daemon that does not come back explains why nothing is accepted.
        let restarts = restarts?;
        sent?;
        Ok((traffic.accepted(), restarts))
    })
}

/// Kills the daemon `kills` times, spread evenly over the accepted events.
fn kill_evenly(daemon: &mut Daemon, traffic: &Traffic, kills: u64) -> anyhow::Result<Samples> {
    let mut restarts = Samples::microseconds();
    for kill in 1..=kills {
        while traffic.count.load(Ordering::Relaxed) < kill * traffic.n / (kills + 1) {
            if traffic.stopped.load(Ordering::Relaxed) {
                bail!("the clients gave up before kill {kill}");
            }
            thread::sleep(Duration::from_millis(1));
        }
        daemon.kill9();
        let begun = Instant::now();
        daemon
            .restart()
            .with_context(|| format!("after kill {kill}"))?;
        restarts.record(begun.elapsed());
    }
    Ok(restarts)
}

/// The events on their way.
#[derive(Debug, Default)]
struct Traffic {
    base_url: String,
    n: u64,
    /// How many events have a client that sends them.
    taken: AtomicU64,
    /// How many were accepted.
    count: AtomicU64,
    /// Set when either side has given up, so that the other does, too.
    stopped: AtomicBool,
    ids: Mutex<Vec<String>>,
}

impl Traffic {
    fn send(&self, echo: &Workload) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = LambdaClient::new(self.base_url.as_str());
        let all = (0..CLIENTS).map(|_| self.send_some(&client, echo));
        let sent = runtime.block_on(try_join_all(all)).map(drop);
        if sent.is_err() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        sent
    }

    async fn send_some(&self, client: &LambdaClient, echo: &Workload) -> anyhow::Result<()> {
        while self.taken.fetch_add(1, Ordering::Relaxed) < self.n {
            let id = self.send_one(client, echo).await?;
            self.ids
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(id);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends one event until it is accepted. Only a broken connection and an overloaded daemon are tried again.
    async fn send_one(&self, client: &LambdaClient, echo: &Workload) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            let error = match client.invoke_event(echo.name(), echo.event.clone()).await {
                Ok(id) => return Ok(id),
                Err(error) => error,
            };
            let again = matches!(
                error,
                ClientError::NoAnswer { .. }
                    | ClientError::Refused {
                        status: 429 | 500..,
                        ..
                    }
            );
            let stopped = self.stopped.load(Ordering::Relaxed);
            if !again || stopped || begun.elapsed() > ACCEPT_LIMIT {
                return Err(error).context("an event was not accepted");
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn accepted(&self) -> Vec<String> {
        std::mem::take(&mut self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits until no event waits or runs; gives how many were given up.
fn drain(running: &Running) -> anyhow::Result<u64> {
    let client = running.client();
    let begun = Instant::now();
    loop {
        let counts = running.block_on(client.events())?;
        if counts.waiting == 0 && counts.claimed == 0 {
            return Ok(counts.dead);
        }
        ensure!(
            begun.elapsed() < DRAIN_LIMIT,
            "the queue does not become empty: {counts:?}"
        );
        running.pause(Duration::from_millis(100));
    }
}

fn require(verdict: &Verdict, witness: &Witness, lost: u64) -> anyhow::Result<()> {
    for id in verdict.lost.iter().take(10) {
        eprintln!(
            "bench: event {id} was accepted and has {:?}",
            witness.runs(id)
        );
    }
    for id in verdict.excess.iter().take(10) {
        eprintln!(
            "bench: event {id} has too many runs: {:?}",
            witness.runs(id)
        );
    }
    ensure!(lost == 0, "{lost} accepted events were lost");
    ensure!(
        verdict.excess.is_empty(),
        "{} events ran too often",
        verdict.excess.len()
    );
    Ok(())
}
