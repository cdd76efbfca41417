//! Control groups for the sandbox, of whichever version the machine has.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::io::Errno;

const ROOT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "offshoot-bench-";
const CONTROLLERS_V1: [&str; 3] = ["memory", "cpu", "pids"];
/// A group is busy until its last process is gone.
const REMOVAL_LIMIT: Duration = Duration::from_secs(2);

/// New groups. Dropping them removes them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    folders: Vec<Folder>,
    unified: Option<File>,
    tasks: Vec<File>,
}

/// The folder of a group.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let begun = Instant::now();
        // Else page cache that was charged here keeps a memory group of version 1 in the kernel after its directory is gone.
        let _ = fs::write(self.0.join("memory.force_empty"), "0");
        while let Err(error) = fs::remove_dir(&self.0) {
            let busy = Errno::from_io_error(&error) == Some(Errno::BUSY);
            if !busy || begun.elapsed() > REMOVAL_LIMIT {
                eprintln!("bench: cannot remove {}: {error}", self.0.display());
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Groups {
    /// Makes them, and removes those of benchmarks that were killed.
    pub(super) fn make() -> anyhow::Result<Self> {
        let mut groups = Self::default();
        let root = Path::new(ROOT);
        if root.join("cgroup.controllers").exists() {
            let folder = groups.add(root)?;
            groups.unified = Some(File::open(folder)?);
            return Ok(groups);
        }
        for controller in CONTROLLERS_V1 {
            let hierarchy = root.join(controller);
            if hierarchy.join("tasks").exists() {
                let tasks = groups.add(&hierarchy)?.join("tasks");
                let file = OpenOptions::new().write(true).open(&tasks);
                groups
                    .tasks
                    .push(file.with_context(|| tasks.display().to_string())?);
            }
        }
        Ok(groups)
    }

    fn add(&mut self, hierarchy: &Path) -> anyhow::Result<PathBuf> {
        remove_abandoned(hierarchy);
        let folder = hierarchy.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        self.folders.push(Folder(folder.clone()));
        Ok(folder)
    }

    /// The group in the unified hierarchy, if that is what the machine has.
    pub(super) fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(AsFd::as_fd)
    }

    /// The `tasks` files of the groups in hierarchies of version 1.
    pub(super) fn tasks(&self) -> Vec<BorrowedFd<'_>> {
        self.tasks.iter().map(AsFd::as_fd).collect()
    }
}

/// Removes groups of processes that are gone; those that are still in use stay.
fn remove_abandoned(hierarchy: &Path) {
    for entry in fs::read_dir(hierarchy).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dropped_groups_are_gone() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: control groups want root");
            return;
        }
        let groups = Groups::make().unwrap();
        let folders: Vec<_> = groups
            .folders
            .iter()
            .map(|folder| folder.0.clone())
            .collect();
        assert!(!folders.is_empty() && folders.iter().all(|folder| folder.is_dir()));
        drop(groups);
        assert!(folders.iter().all(|folder| !folder.exists()));
    }
}
