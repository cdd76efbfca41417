//! How much time of processors a daemon and everything below it has used, ended processes included.
//!
//! Where the kernel has a hierarchy that only counts (`cpuacct` of control groups v1, apart from `cpu`), the daemon is put
//! into a group of its own there, with all that it will make. Elsewhere it is what the whole machine has used, less
//! this process's own part: right on a machine that does nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

use super::processes;
use super::sandbox::clock::{processors, unused_s};
use crate::bench::Running;

const HIERARCHY: &str = "/sys/fs/cgroup/cpuacct";
const USAGE: &str = "cpuacct.usage";
/// A group is busy until its last process is gone.
const REMOVAL_LIMIT: Duration = Duration::from_secs(5);
/// So often at most are processes moved: those that began while others were.
const MOVES: u32 = 20;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A daemon whose time is counted.
#[derive(Debug)]
pub(in crate::scenario) struct Metered {
    pub(in crate::scenario) running: Running,
    // Behind the daemon, which must have ended before its group can go.
    meter: Meter,
}

impl Metered {
    /// Begins to count.
    pub(in crate::scenario) fn new(running: Running) -> anyhow::Result<Self> {
        let meter = Meter::of(running.pid()?)?;
        Ok(Self { running, meter })
    }

    /// What was used since it began.
    pub(in crate::scenario) fn used(&self) -> anyhow::Result<Duration> {
        self.meter.used()
    }

    /// Ends the daemon in order.
    pub(in crate::scenario) fn stop(self) -> anyhow::Result<()> {
        self.running.stop()
    }
}

/// Counts for one daemon. To be dropped after the daemon has ended.
#[derive(Debug)]
enum Meter {
    /// A group that counts.
    Group(PathBuf),
    /// The machine, since the meter was made.
    Machine {
        begun: Instant,
        unused_s: f64,
        own: Duration,
    },
}

impl Meter {
    fn of(daemon: i32) -> anyhow::Result<Self> {
        if counts_apart(Path::new(HIERARCHY)) {
            let name = format!(
                "offshoot-bench-{}-{}",
                std::process::id(),
                NUMBER.fetch_add(1, Ordering::Relaxed)
            );
            let group = Path::new(HIERARCHY).join(name);
            // Where groups cannot be made, the machine is what is left.
            if fs::create_dir(&group).is_ok() {
                let meter = Self::Group(group);
                meter.take_in(daemon)?;
                return Ok(meter);
            }
        }
        Ok(Self::Machine {
            begun: Instant::now(),
            unused_s: unused_s()?,
            own: own_time(),
        })
    }

    fn used(&self) -> anyhow::Result<Duration> {
        match self {
            Self::Group(group) => {
                let file = group.join(USAGE);
                let text = fs::read_to_string(&file);
                let text = text.with_context(|| format!("cannot read {}", file.display()))?;
                let nanos = text.trim().parse().context("no number of nanoseconds")?;
                Ok(Duration::from_nanos(nanos))
            }
            Self::Machine {
                begun,
                unused_s: unused,
                own,
            } => {
                let there_was = begun.elapsed().as_secs_f64() * processors();
                let used = there_was - (unused_s()? - unused);
                let used = Duration::from_secs_f64(used.max(0.0));
                Ok(used.saturating_sub(own_time().saturating_sub(*own)))
            }
        }
    }

    fn take_in(&self, daemon: i32) -> anyhow::Result<()> {
        let Self::Group(group) = self else {
            return Ok(());
        };
        let file = group.join("cgroup.procs");
        for _ in 0..MOVES {
            let inside = fs::read_to_string(&file)?;
            let is_inside = |pid: i32| inside.lines().any(|line| line.parse::<i32>() == Ok(pid));
            let members = processes::of_daemon(daemon)?;
            let outside: Vec<_> = members
                .iter()
                .filter(|member| !is_inside(member.pid))
                .collect();
            if outside.is_empty() {
                break;
            }
            for member in outside {
                // It may have ended.
                let _ = fs::write(&file, member.pid.to_string());
            }
        }
        Ok(())
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let Self::Group(group) = self else {
            return;
        };
        let begun = Instant::now();
        while let Err(error) = fs::remove_dir(&*group) {
            if begun.elapsed() > REMOVAL_LIMIT {
                eprintln!("bench: cannot remove {}: {error}", group.display());
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether it counts and does nothing else: a link leads to the hierarchy that also shares processors out.
fn counts_apart(hierarchy: &Path) -> bool {
    let is_folder = fs::symlink_metadata(hierarchy).is_ok_and(|found| found.is_dir());
    is_folder && hierarchy.join(USAGE).exists() && !hierarchy.join("cpu.shares").exists()
}

fn own_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn hierarchy_that_shares_processors_is_not_used_to_count() {
        let folder = tempfile::tempdir().unwrap();
        let hierarchy = folder.path().join("cpuacct");
        fs::create_dir(&hierarchy).unwrap();
        assert!(!counts_apart(&hierarchy));
        fs::write(hierarchy.join(USAGE), "0").unwrap();
        assert!(counts_apart(&hierarchy));
        std::os::unix::fs::symlink(&hierarchy, folder.path().join("link")).unwrap();
        assert!(!counts_apart(&folder.path().join("link")));
        fs::write(hierarchy.join("cpu.shares"), "1024").unwrap();
        assert!(!counts_apart(&hierarchy));
    }

    #[test]
    fn work_of_a_child_is_counted_and_stays_so_when_it_has_ended() {
        let busy = "read line; (while :; do :; done) & pid=$!; read line; kill $pid; wait";
        let mut shell = Command::new("/bin/sh")
            .args(["-c", busy])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let meter = Meter::of(shell.id() as i32).unwrap();
        let before = meter.used().unwrap();
        let mut say = shell.stdin.take().unwrap();
        say.write_all(b"\n").unwrap();
        let mut counted = before;
        while counted <= before {
            thread::sleep(Duration::from_millis(10));
            counted = meter.used().unwrap();
        }
        say.write_all(b"\n").unwrap();
        shell.wait().unwrap();
        // Of the whole machine, the figure is less exact.
        assert!(matches!(meter, Meter::Machine { .. }) || meter.used().unwrap() >= counted);
    }
}
