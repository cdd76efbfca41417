//! Sends calls at their times, whatever the answers do, and counts from those times.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use offshoot_testkit::HttpConnection;

use super::plan::Plan;
use crate::interrupt;
use crate::scenario::stages;

/// So many calls can be under way; one that is due beyond waits, and its wait counts.
const CALLERS: usize = 128;
/// Who is told that there are too many asks again after so long.
const RETRY: Duration = Duration::from_millis(20);
/// After so long without an answer, from its time on, a call has failed.
const LIMIT: Duration = Duration::from_secs(60);
/// A connection that was not used for so long may have been closed by the daemon.
const STALE: Duration = Duration::from_secs(5);
const START: &str = "x-offshoot-start";
const STAGES: &str = "x-offshoot-stages";
const THROTTLED: u16 = 429;

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    /// From the time at which it was due until its answer.
    pub(super) latency: Duration,
    /// What the daemon says of where it went, in microseconds.
    pub(super) stages: Vec<(String, u64)>,
    /// The rung that its instance came from.
    pub(super) start: String,
}

/// What the body of a function's error names it: its message would be another one each time.
fn error_type(body: &[u8]) -> String {
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let named = body.and_then(|body| Some(body.get("errorType")?.as_str()?.to_owned()));
    named.unwrap_or_else(|| "without a type".to_owned())
}

impl Answered {
    /// The part of it in the handler.
    pub(super) fn handler(&self) -> Duration {
        let of = self.stages.iter().find(|(stage, _)| stage == "handler");
        of.map_or(Duration::ZERO, |(_, micros)| Duration::from_micros(*micros))
    }
}

/// All that came of a replay.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) answered: Vec<Answered>,
    /// Answers that there are too many calls or instances; each was sent again.
    pub(super) throttled: u64,
    /// Calls without an answer, or with an error, by the reason.
    pub(super) failed: BTreeMap<String, u64>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.throttled += other.throttled;
        for (reason, count) in other.failed {
            *self.failed.entry(reason).or_default() += count;
        }
    }
}

/// What is sent: the calls of a plan, and for each function the bytes of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script<'a> {
    pub(super) plan: &'a Plan,
    pub(super) requests: &'a [Vec<u8>],
    pub(super) daemon: SocketAddr,
}

/// Sends all calls. `sent` counts those that were taken up.
pub(super) fn replay(script: Script<'_>, sent: &Arc<AtomicUsize>) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let callers = CALLERS.min(script.plan.calls.len());
    thread::scope(|scope| {
        let all: Vec<_> = (0..callers)
            .map(|_| scope.spawn(move || Caller::new(script, begun).run(sent)))
            .collect();
        let mut whole = Outcome::default();
        for caller in all {
            whole.add(caller.join().ok().context("a caller panicked")?);
        }
        Ok(whole)
    })
}

struct Caller<'a> {
    script: Script<'a>,
    begun: Instant,
    connection: Option<(HttpConnection, Instant)>,
    outcome: Outcome,
}

impl<'a> Caller<'a> {
    fn new(script: Script<'a>, begun: Instant) -> Self {
        Self {
            script,
            begun,
            connection: None,
            outcome: Outcome::default(),
        }
    }

    fn run(mut self, sent: &AtomicUsize) -> Outcome {
        let calls = &self.script.plan.calls;
        while let Some(due) = calls.get(sent.fetch_add(1, Ordering::Relaxed)) {
            if interrupt::is_interrupted() {
                break;
            }
            let at = self.begun + due.at;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            match self.call(&self.script.requests[due.function], at) {
                Ok(answered) => self.outcome.answered.push(answered),
                Err(error) => {
                    self.connection = None;
                    let reason = format!("{error:#}");
                    *self.outcome.failed.entry(reason).or_default() += 1;
                }
            }
        }
        self.outcome
    }

    fn call(&mut self, request: &[u8], due: Instant) -> anyhow::Result<Answered> {
        loop {
            if let Some(answered) = self.ask(request, due)? {
                return Ok(answered);
            }
            self.outcome.throttled += 1;
            if due.elapsed() > LIMIT {
                bail!("too many calls or instances for {} s", LIMIT.as_secs());
            }
            thread::sleep(RETRY);
        }
    }

    /// The answer; none if there were too many.
    fn ask(&mut self, request: &[u8], due: Instant) -> anyhow::Result<Option<Answered>> {
        let connection = self.connected()?;
        let answer = connection.exchange(request)?;
        let latency = due.elapsed();
        if answer.status == THROTTLED {
            return Ok(None);
        }
        if answer.status != 200 {
            bail!("status {}", answer.status);
        }
        if let Some(error) = answer.header("x-amz-function-error") {
            bail!("function error {error}, {}", error_type(answer.body));
        }
        let stages = stages(answer.header(STAGES).unwrap_or_default()).collect();
        let start = answer.header(START);
        let start = start.with_context(|| format!("no header {START}"))?;
        Ok(Some(Answered {
            latency,
            stages,
            start: start.to_owned(),
        }))
    }

    fn connected(&mut self) -> anyhow::Result<&mut HttpConnection> {
        let is_fresh = |(_, used): &(HttpConnection, Instant)| used.elapsed() < STALE;
        let fresh = self.connection.take().filter(is_fresh);
        let connection = match fresh {
            Some((connection, _)) => connection,
            None => HttpConnection::connect(self.script.daemon, LIMIT)?,
        };
        Ok(&mut self.connection.insert((connection, Instant::now())).0)
    }
}
