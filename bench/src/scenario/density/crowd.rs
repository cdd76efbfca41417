//! Instances that are all alive at once, because each has an event that does not end.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bench::Running;
use crate::interrupt;
use crate::scenario::processes::{self, Kind};

/// More are not made, whatever memory is left.
const MOST: u64 = 5000;
/// Added at once at most.
const STEP: u64 = 100;
/// Between two looks. Instances have settled when their memory grows by less than a two-hundredth between two.
const LOOK: Duration = Duration::from_millis(250);
const GROWTH_PART: u64 = 200;
const LIMIT: Duration = Duration::from_secs(60);
const PROGRESS: Duration = Duration::from_secs(5);

/// The largest crowd within the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Found {
    pub(super) instances: u64,
    /// What all processes together had then.
    pub(super) used_kb: u64,
    /// The same without an instance.
    base_kb: u64,
    /// Whether there was memory left for more than are made.
    pub(super) is_bounded: bool,
    /// By how much less the machine had for everybody.
    machine_kb: u64,
}

impl Found {
    /// How many are added next: half of those that seem to fit, so that the last ones come one by one.
    fn next_step(&self, budget_kb: u64) -> u64 {
        let left_kb = budget_kb.saturating_sub(self.used_kb) as f64;
        let half = match self.instances {
            0 => 1,
            _ => (left_kb / self.kb_each().max(1.0) / 2.0) as u64,
        };
        half.clamp(1, STEP).min(MOST - self.instances)
    }

    /// What each instance added.
    pub(super) fn kb_each(&self) -> f64 {
        self.used_kb.saturating_sub(self.base_kb) as f64 / self.instances.max(1) as f64
    }

    /// The same by what the kernel says is available, which includes its own memory, and what others did meanwhile.
    pub(super) fn machine_kb_each(&self) -> f64 {
        self.machine_kb as f64 / self.instances.max(1) as f64
    }
}

/// Instances of one kind, each with a connection that waits for an answer.
#[derive(Debug)]
pub(super) struct Crowd {
    daemon: i32,
    address: SocketAddr,
    kind: Kind,
    event: Vec<u8>,
    waiting: Vec<TcpStream>,
}

impl Crowd {
    pub(super) fn new(running: &Running, kind: Kind, event: Vec<u8>) -> anyhow::Result<Self> {
        raise_descriptors();
        Ok(Self {
            daemon: running.pid()?,
            address: running.daemon.address(),
            kind,
            event,
            waiting: Vec::new(),
        })
    }

    /// Adds instances until the next ones would not fit.
    pub(super) fn grow(&mut self, budget_kb: u64) -> anyhow::Result<Found> {
        let (base_kb, there_was_kb) = (self.look()?.1, available_kb()?);
        let mut found = Found {
            base_kb,
            ..Found::default()
        };
        let mut told = Instant::now();
        while found.instances < MOST {
            interrupt::check()?;
            self.add(found.next_step(budget_kb))?;
            let used_kb = self.settled()?;
            if used_kb > budget_kb {
                return Ok(found);
            }
            found.instances = self.waiting.len() as u64;
            found.used_kb = used_kb;
            found.machine_kb = there_was_kb.saturating_sub(available_kb()?);
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                eprintln!(
                    "bench: {} instances have {} of {} MiB",
                    found.instances,
                    used_kb >> 10,
                    budget_kb >> 10
                );
            }
        }
        found.is_bounded = true;
        Ok(found)
    }

    fn add(&mut self, count: u64) -> anyhow::Result<()> {
        for _ in 0..count {
            let mut connection = TcpStream::connect(self.address)?;
            connection.write_all(&self.event)?;
            self.waiting.push(connection);
        }
        Ok(())
    }

    /// The memory when all instances are there and have done their work.
    fn settled(&self) -> anyhow::Result<u64> {
        let begun = Instant::now();
        let mut before = u64::MAX;
        loop {
            thread::sleep(LOOK);
            let (count, used_kb) = self.look()?;
            let is_still = used_kb.abs_diff(before) <= used_kb / GROWTH_PART;
            if count == self.waiting.len() && is_still {
                return Ok(used_kb);
            }
            if begun.elapsed() > LIMIT {
                bail!(
                    "{count} of {} instances are there after {} s",
                    self.waiting.len(),
                    LIMIT.as_secs()
                );
            }
            before = used_kb;
        }
    }

    /// Instances of the kind, and the memory of all processes.
    fn look(&self) -> anyhow::Result<(usize, u64)> {
        let members = processes::of_daemon(self.daemon)?;
        let count = members.iter().filter(|member| member.kind == self.kind);
        let memory = members.iter().filter_map(|one| processes::memory(one.pid));
        Ok((
            count.count(),
            memory.map(|memory| memory.proportional_kb).sum(),
        ))
    }
}

/// Each instance needs a connection. Where more are not allowed, the crowd ends with an error of the kernel's.
fn raise_descriptors() {
    let now = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: now.maximum,
            maximum: now.maximum,
        },
    );
}

fn available_kb() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kb = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kb = kb.and_then(|kb| kb.trim().parse().ok());
    kb.context("/proc/meminfo has no MemAvailable")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn half_of_what_fits_is_added_and_the_last_ones_one_by_one() {
        let found = |instances, used_kb| Found {
            instances,
            used_kb,
            ..Found::default()
        };
        assert_eq!(found(0, 0).next_step(1000), 1);
        assert_eq!(found(10, 100).next_step(1000), 45);
        assert_eq!(found(10, 100).next_step(1_000_000), STEP);
        assert_eq!(found(98, 980).next_step(1000), 1);
        assert_eq!(found(MOST - 1, 100).next_step(1_000_000), 1);
    }

    #[test]
    fn each_instance_is_what_was_added_for_it() {
        let found = Found {
            instances: 100,
            used_kb: 1_050_000,
            base_kb: 50_000,
            is_bounded: false,
            machine_kb: 2_000_000,
        };
        assert_eq!(
            (found.kb_each(), found.machine_kb_each()),
            (10_000.0, 20_000.0)
        );
        assert_eq!(Found::default().kb_each(), 0.0);
        assert!(available_kb().unwrap() > 0);
    }
}
