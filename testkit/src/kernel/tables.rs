//! The machine's tables: mounts, links, System V objects, nftables, open files.

use std::fs;
use std::process::{Command, Stdio};

use procfs::process::Process;

use super::processes::add_namespace;
use super::{KernelObjects, Kind, Objects, Scope, SnapshotError};

pub(super) fn count(scope: &Scope, found: &mut KernelObjects) -> Result<(), SnapshotError> {
    match scope {
        Scope::Machine => {
            mounts("self", "self", found)?;
            // Without privilege only one's own can be read.
            let _ = mounts("1", "init", found);
            found.put(Kind::Link, "", links()?);
            for of in ["shm", "sem", "msg"] {
                sysv(of, found);
            }
            if let Some(tables) = nft_tables() {
                found.put(Kind::NftTable, "", tables);
            }
            open_files(found)?;
        }
        Scope::Trees { roots, .. } => {
            for (at, pid) in roots.iter().enumerate() {
                let _ = mounts(&pid.to_string(), &format!("root {at}"), found);
            }
        }
    }
    Ok(())
}

fn mounts(pid: &str, label: &str, found: &mut KernelObjects) -> Result<(), SnapshotError> {
    let failed = |error| {
        SnapshotError::new(
            format!("/proc/{pid}/mountinfo"),
            std::io::Error::other(error),
        )
    };
    let process = match pid.parse() {
        Ok(pid) => Process::new(pid),
        Err(_) => Process::myself(),
    };
    let list = process
        .and_then(|process| process.mountinfo())
        .map_err(failed)?;
    found.put(Kind::Mount, label, Objects::default());
    for mount in list {
        let name = format!(
            "{} {} at {}",
            mount.mnt_id,
            mount.fs_type,
            mount.mount_point.display()
        );
        found.add(Kind::Mount, label, name);
        // A namespace that is bound somewhere needs no process to live on.
        if mount.fs_type == "nsfs" {
            add_namespace(&mount.root, found);
        }
    }
    Ok(())
}

fn links() -> Result<Objects, SnapshotError> {
    let path = "/proc/self/net/dev";
    let text = fs::read_to_string(path).map_err(|error| SnapshotError::new(path, error))?;
    let names = text.lines().filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

fn sysv(of: &str, found: &mut KernelObjects) {
    let Ok(text) = fs::read_to_string(format!("/proc/sysvipc/{of}")) else {
        return;
    };
    let id = |line: &str| line.split_ascii_whitespace().nth(1).map(str::to_owned);
    found.put(
        Kind::SysvIpc,
        of,
        text.lines().skip(1).filter_map(id).collect(),
    );
}

/// The tables as `nft list tables` prints them; none where the program is missing or fails.
fn nft_tables() -> Option<Objects> {
    let output = Command::new("nft")
        .args(["list", "tables"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.lines().map(str::to_owned).collect())
}

fn open_files(found: &mut KernelObjects) -> Result<(), SnapshotError> {
    let path = "/proc/sys/fs/file-nr";
    let text = fs::read_to_string(path).map_err(|error| SnapshotError::new(path, error))?;
    let count = text
        .split_ascii_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    let count = count.unwrap_or_default();
    // `nr_files` is a per-CPU counter: each CPU keeps up to a batch of max(32, 2 * CPUs) to itself
    // (lib/percpu_counter.c), so that two readings may differ by that much on each.
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let slack = cpus * (2 * cpus).max(32);
    found.put(
        Kind::OpenFile,
        "",
        Objects {
            slack,
            ..Objects::counted(count)
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn loopback_and_the_root_mount_are_found() {
        let found = KernelObjects::snapshot().unwrap();
        assert!(found.of(Kind::Link, "").names.contains("lo"));
        let mounts = found.of(Kind::Mount, "self").names;
        assert!(
            mounts.iter().any(|name| name.ends_with(" at /")),
            "{mounts:?}"
        );
        assert!(found.of(Kind::OpenFile, "").count > 0);
    }
}
