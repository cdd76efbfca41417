//! Who is asked while the noise is made: the neighbour, the daemon, and a process that is no tenant.
//!
//! Each is asked by a thread of its own at a fixed pace, one after the other's turn, whether or not it has answered slowly before: an answer that is
//! late makes the following questions late, and that counts (no coordinated omission). The asking threads come before all
//! others on a processor, so that the time that they themselves would wait for one is not taken for the asked one's.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::baseline::UnixServer;
use crate::scenario::platform::Platform;
use crate::summary::Samples;

/// Time from one question to the next.
const PACE: Duration = Duration::from_micros(1500);

/// How one is asked.
#[derive(Debug)]
pub(super) enum Way {
    /// Over HTTP.
    Http(Platform),
    /// The handler behind a bare Unix socket.
    Bare(UnixServer),
}

/// One who is asked.
#[derive(Debug)]
pub(super) struct Probe {
    /// The name of the system.
    pub(super) system: &'static str,
    pub(super) way: Way,
}

impl Probe {
    fn ask(&mut self) -> anyhow::Result<()> {
        match &mut self.way {
            Way::Http(platform) => platform.call(),
            Way::Bare(server) => server.call().map(drop),
        }
    }

    /// Asks from one time to the other; the last answer may come later.
    fn ask_for(&mut self, from: Instant, to: Instant) -> anyhow::Result<Samples> {
        let mut samples = Samples::microseconds();
        let mut due = from;
        while due < to {
            let wait = due.saturating_duration_since(Instant::now());
            let asked = if wait.is_zero() {
                due
            } else {
                thread::sleep(wait);
                Instant::now()
            };
            self.ask().with_context(|| self.system)?;
            samples.record(asked.elapsed());
            due += PACE;
        }
        Ok(samples)
    }
}

/// Asks all of them for a time, each by a thread of its own; their samples in the same order.
pub(super) fn ask_all(probes: &mut [Probe], time: Duration) -> anyhow::Result<Vec<Samples>> {
    let (begun, turns) = (Instant::now(), probes.len() as u32);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..)
            .zip(probes.iter_mut())
            .map(|(turn, probe)| {
                let from = begun + PACE / turns * turn;
                scope.spawn(move || {
                    come_first()?;
                    probe.ask_for(from, begun + time)
                })
            })
            .collect();
        asking
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(samples) => samples,
                Err(_) => bail!("an asking thread panicked"),
            })
            .collect()
    })
}

fn come_first() -> anyhow::Result<()> {
    offshoot_sys::schedule::run_before_all_others()
        .context("the asking threads want real-time priority: root, in a control group that has a share of it")
}
