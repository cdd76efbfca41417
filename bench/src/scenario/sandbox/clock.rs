//! What an operation costs: time that passes, and time of processors.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

use crate::summary::Samples;

/// What is freed late is freed after so long: namespaces and control groups, by threads of the kernel.
const AFTERMATH: Duration = Duration::from_millis(100);
/// `USER_HZ`, in which `/proc/stat` counts, on every architecture that this runs on (`proc(5)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What one operation took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// From the call to the return.
    pub(super) took: Duration,
    /// Of the calling thread's processor.
    pub(super) cpu: Duration,
}

/// Does something on this thread, and says what it cost.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (begun, cpu) = (Instant::now(), thread_cpu());
    let result = work();
    let cpu = thread_cpu().saturating_sub(cpu);
    let took = begun.elapsed();
    (result, Cost { took, cpu })
}

fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Samples of both.
#[derive(Debug)]
pub(super) struct Costs {
    pub(super) took: Samples,
    pub(super) cpu: Samples,
}

impl Costs {
    pub(super) fn new() -> Self {
        Self {
            took: Samples::microseconds(),
            cpu: Samples::microseconds(),
        }
    }

    pub(super) fn add(&mut self, cost: Cost) {
        self.took.record(cost.took);
        self.cpu.record(cost.cpu);
    }
}

/// The time that all processors of the machine were not idle, for work that many processes and the kernel's own threads
/// have a part in.
///
/// Of a machine that does nothing else. `/proc/stat` counts idleness in hundredths of a second, but exactly; so this is right
/// for many operations together only. What a hypervisor has stolen is not counted.
#[derive(Debug, Default)]
pub(super) struct Busy {
    total_s: f64,
}

impl Busy {
    /// Does something, waits until the kernel has cleaned up, and adds what both took.
    pub(super) fn during<T>(
        &mut self,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (begun, unused) = (Instant::now(), unused_s()?);
        let result = work()?;
        std::thread::sleep(AFTERMATH);
        let there_was = begun.elapsed().as_secs_f64() * processors();
        self.total_s += (there_was - (unused_s()? - unused)).max(0.0);
        Ok(result)
    }

    /// The part of one of `n` operations, in microseconds.
    pub(super) fn us_of_each(&self, n: u64) -> f64 {
        (self.total_s * 1e6 / n.max(1) as f64).round()
    }
}

pub(in crate::scenario) fn processors() -> f64 {
    // Of the machine, whichever of them this process may use.
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let is_one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    text.lines().filter(is_one).count() as f64
}

pub(in crate::scenario) fn unused_s() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let ticks = unused_ticks(&text).context("/proc/stat has no line of all processors")?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Idle, waiting for disks, and stolen: fields 4, 5 and 8 of the first line (`proc(5)`).
fn unused_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = line
        .split_ascii_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    Some(fields.get(3)? + fields.get(4)? + fields.get(7)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn idle_waiting_and_stolen_time_are_not_used() {
        let text = "cpu  1 2 3 100 20 6 7 3 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(unused_ticks(text), Some(123));
        assert_eq!(unused_ticks("cpu  1 2 3\n"), None);
        assert_eq!(unused_ticks("intr 1\n"), None);
    }

    #[test]
    fn work_shows_as_time_of_a_processor() {
        let wanted = Duration::from_millis(200);
        let mut busy = Busy::default();
        let work = || {
            let begun = thread_cpu();
            while thread_cpu() - begun < wanted {}
            Ok(())
        };
        let (done, cost) = timed(|| busy.during(work));
        done.unwrap();
        assert!(
            cost.cpu >= wanted && cost.took >= wanted + AFTERMATH,
            "{cost:?}"
        );
        // How much depends on ticks and on what a hypervisor steals.
        assert!(busy.us_of_each(1) > 0.0, "{busy:?}");
    }
}
