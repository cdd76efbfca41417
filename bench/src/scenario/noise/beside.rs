//! A control group beside a sandbox's, with the same share of the processors: there the floor runs, a plain process.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

const ROOT: &str = "/sys/fs/cgroup";
const NAME: &str = "bench-floor";
const SHARES: [&str; 2] = ["cpu.shares", "cpu.weight"];
/// A group is busy until its last process is gone.
const REMOVAL_LIMIT: Duration = Duration::from_secs(2);

/// The group. Dropping it removes it, when its processes have ended.
#[derive(Debug)]
pub(super) struct Beside(PathBuf);

impl Beside {
    /// Makes the group beside the one that process `model` is in.
    pub(super) fn make(model: i32) -> anyhow::Result<Self> {
        let groups = fs::read_to_string(format!("/proc/{model}/cgroup"))?;
        let model = of_processor(&groups).context("the process has no group for processors")?;
        let folder = model.with_file_name(NAME);
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let made = Self(folder);
        for name in SHARES {
            if let Ok(share) = fs::read_to_string(model.join(name)) {
                fs::write(made.0.join(name), share)?;
            }
        }
        Ok(made)
    }

    /// Moves a process into it.
    pub(super) fn take_in(&self, pid: u32) -> anyhow::Result<()> {
        let file = self.0.join("cgroup.procs");
        fs::write(&file, pid.to_string()).with_context(|| file.display().to_string())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let begun = Instant::now();
        while let Err(error) = fs::remove_dir(&self.0) {
            if begun.elapsed() > REMOVAL_LIMIT {
                eprintln!("bench: cannot remove {}: {error}", self.0.display());
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The folder of the group that shares the processors, from `/proc/PID/cgroup`: of version 1 if there is one.
fn of_processor(groups: &str) -> Option<PathBuf> {
    let of = |wanted: &str, mount: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let is_it = controllers.split(',').any(|one| one == wanted);
            is_it.then(|| Path::new(mount).join(path.trim_start_matches('/')))
        })
    };
    let first = of("cpu", &format!("{ROOT}/cpu"));
    first.or_else(|| of("", ROOT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_of_the_processors_is_found_in_both_versions() {
        let hybrid = "9:name=systemd:/\n2:cpuacct:/\n1:cpu:/offshoot/ab/7\n0::/offshoot/ab/7\n";
        let expected = "/sys/fs/cgroup/cpu/offshoot/ab/7";
        assert_eq!(of_processor(hybrid), Some(expected.into()));
        let unified = "0::/offshoot/ab/7\n";
        let expected = "/sys/fs/cgroup/offshoot/ab/7";
        assert_eq!(of_processor(unified), Some(expected.into()));
        assert_eq!(of_processor(""), None);
    }
}
