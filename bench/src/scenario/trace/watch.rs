//! Memory over time, and what it is made of, while something runs.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use crate::scenario::processes::{self, Kind, Memory};

/// Between samples: sixty of them in a run, at most five a second, at least one.
const SAMPLES: u32 = 60;
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(1);

/// Processes of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Group {
    pub(super) count: u64,
    /// Proportional memory.
    pub(super) kb: u64,
    /// The part of it that is of no file.
    pub(super) anonymous_kb: u64,
}

/// What was there at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Sample {
    /// Since the beginning.
    pub(super) at_s: f64,
    pub(super) service: Group,
    pub(super) started: Group,
    pub(super) clones: Group,
    pub(super) templates: Group,
}

impl Sample {
    /// Looks at a daemon now.
    pub(super) fn take(daemon: i32, at: Duration) -> anyhow::Result<Self> {
        let mut sample = Self {
            at_s: at.as_secs_f64(),
            ..Self::default()
        };
        for member in processes::of_daemon(daemon)? {
            if let Some(memory) = processes::memory(member.pid) {
                sample.add(member.kind, memory);
            }
        }
        Ok(sample)
    }

    fn add(&mut self, kind: Kind, memory: Memory) {
        let group = match kind {
            Kind::Service => &mut self.service,
            Kind::Started => &mut self.started,
            Kind::Clone => &mut self.clones,
            Kind::Template => &mut self.templates,
        };
        group.count += 1;
        group.kb += memory.proportional_kb;
        group.anonymous_kb += memory.anonymous_kb;
    }

    const fn groups(&self) -> [&Group; 4] {
        [&self.service, &self.started, &self.clones, &self.templates]
    }

    /// All of it.
    pub(super) fn total_kb(&self) -> u64 {
        self.groups().iter().map(|group| group.kb).sum()
    }

    /// All of it that is of no file.
    pub(super) fn anonymous_kb(&self) -> u64 {
        let groups = self.groups().into_iter();
        groups.map(|group| group.anonymous_kb).sum()
    }
}

/// The sample with the most memory.
pub(super) fn peak(samples: &[Sample]) -> Sample {
    let most = samples.iter().max_by_key(|sample| sample.total_kb());
    most.copied().unwrap_or_default()
}

/// A thread that looks.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<Vec<Sample>>>,
}

impl Watch {
    /// Looks until [`Watch::stop`], as often as suits a run of that length, and has `seen` told each time.
    pub(super) fn start(
        daemon: i32,
        span: Duration,
        seen: impl FnMut(&Sample) + Send + 'static,
    ) -> Self {
        let (stop, stopped) = channel();
        let period = (span / SAMPLES).clamp(SHORTEST, LONGEST);
        let thread = thread::spawn(move || look(daemon, period, &stopped, seen));
        Self { stop, thread }
    }

    /// What was seen.
    pub(super) fn stop(self) -> anyhow::Result<Vec<Sample>> {
        // It has ended already if it failed, which it says.
        let _ = self.stop.send(());
        let ended = self.thread.join();
        ended.ok().context("the watch panicked")?
    }
}

fn look(
    daemon: i32,
    period: Duration,
    stopped: &Receiver<()>,
    mut seen: impl FnMut(&Sample),
) -> anyhow::Result<Vec<Sample>> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    loop {
        let sample = Sample::take(daemon, begun.elapsed())?;
        seen(&sample);
        samples.push(sample);
        // Whoever has dropped the watch has failed and wants no more.
        if !matches!(stopped.recv_timeout(period), Err(RecvTimeoutError::Timeout)) {
            return Ok(samples);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn group(kb: u64) -> Group {
        Group {
            count: 1,
            kb,
            anonymous_kb: kb / 2,
        }
    }

    #[test]
    fn peak_is_of_all_kinds_together() {
        let at = |started, clones| Sample {
            started: group(started),
            clones: group(clones),
            ..Sample::default()
        };
        let found = peak(&[at(5, 1), at(4, 4), at(1, 6)]);
        assert_eq!((found.total_kb(), found.anonymous_kb()), (8, 4));
        assert_eq!(peak(&[]).total_kb(), 0);
    }

    #[test]
    fn watch_sees_at_least_one_sample() {
        let own = std::process::id() as i32;
        let watch = Watch::start(own, Duration::from_secs(1), |_| {});
        let samples = watch.stop().unwrap();
        assert!(!samples.is_empty() && samples[0].total_kb() > 100);
    }
}
