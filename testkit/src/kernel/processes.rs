//! Processes, and what they hold: namespaces, descriptors, memory files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use procfs::process::{self, Stat};

use super::{KernelObjects, Kind, Objects, Probe, Scope, SnapshotError};

/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`: kernel threads come and go with the load.
const KERNEL_THREAD: u32 = 0x0020_0000;

pub(super) fn count(probe: &Probe, found: &mut KernelObjects) -> Result<(), SnapshotError> {
    let table = table()?;
    let wanted = wanted(&table, &probe.scope);
    found.put(Kind::Process, "", Objects::default());
    found.put(Kind::Zombie, "", Objects::default());
    for (pid, stat) in table.iter().filter(|(pid, _)| wanted.contains(pid)) {
        // The start time tells a process from a later one with the same id.
        let name = format!("{pid} {} (started at tick {})", stat.comm, stat.starttime);
        let kind = if matches!(stat.state, 'Z' | 'X') {
            Kind::Zombie
        } else {
            Kind::Process
        };
        found.add(kind, "", name);
        namespaces(*pid, found);
        held_files(*pid, found);
    }
    for (label, pid) in &probe.descriptors_of {
        found.put(Kind::Descriptor, label.clone(), descriptors(*pid));
    }
    Ok(())
}

fn table() -> Result<BTreeMap<i32, Stat>, SnapshotError> {
    let all = process::all_processes()
        .map_err(|error| SnapshotError::new("/proc", std::io::Error::other(error)))?;
    let stats = all.filter_map(|process| process.ok()?.stat().ok());
    Ok(stats
        .filter(|stat| stat.flags & KERNEL_THREAD == 0)
        .map(|stat| (stat.pid, stat))
        .collect())
}

fn wanted(table: &BTreeMap<i32, Stat>, scope: &Scope) -> BTreeSet<i32> {
    match scope {
        Scope::Machine => table.keys().copied().collect(),
        Scope::Trees { roots, .. } => table
            .keys()
            .copied()
            .filter(|pid| descends(table, *pid, roots))
            .collect(),
    }
}

fn descends(table: &BTreeMap<i32, Stat>, pid: i32, roots: &[i32]) -> bool {
    let parent = |pid: &i32| table.get(pid).map(|stat| stat.ppid);
    // A snapshot of a changing table could hold a circle.
    std::iter::successors(Some(pid), parent)
        .take(table.len() + 1)
        .any(|pid| roots.contains(&pid))
}

/// The namespaces of every task: threads of one process may live in different ones.
fn namespaces(pid: i32, found: &mut KernelObjects) {
    for task in entries(&format!("/proc/{pid}/task")) {
        for link in entries(&format!("{task}/ns")) {
            let Ok(target) = fs::read_link(&link) else {
                continue;
            };
            add_namespace(&target.to_string_lossy(), found);
        }
    }
}

/// Namespaces and memory files that are held by a descriptor.
fn held_files(pid: i32, found: &mut KernelObjects) {
    for link in entries(&format!("/proc/{pid}/fd")) {
        let Ok(target) = fs::read_link(&link) else {
            continue;
        };
        let target = target.to_string_lossy();
        if let Some(name) = target.strip_prefix("/memfd:") {
            let Ok(file) = fs::metadata(&link) else {
                continue;
            };
            found.add(Kind::Memfd, "", format!("{name} (inode {})", file.ino()));
        } else {
            add_namespace(&target, found);
        }
    }
}

/// Adds `net:[4026531840]` to the network namespaces; other targets of links are no namespaces.
pub(super) fn add_namespace(target: &str, found: &mut KernelObjects) {
    let Some((of, inode)) = target.split_once(":[") else {
        return;
    };
    const TYPES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
    if TYPES.contains(&of) && inode.ends_with(']') {
        found.add(Kind::Namespace, of, target);
    }
}

fn descriptors(pid: i32) -> Objects {
    let named = |link: String| {
        let target = fs::read_link(&link).ok()?;
        let number = Path::new(&link).file_name()?.to_string_lossy().into_owned();
        Some(format!("{number} -> {}", target.display()))
    };
    // The directory's own descriptor is the caller's and only appears when it watches itself.
    entries(&format!("/proc/{pid}/fd"))
        .into_iter()
        .filter_map(named)
        .collect()
}

/// Paths in a directory; none if it is gone.
fn entries(folder: &str) -> Vec<String> {
    let Ok(list) = fs::read_dir(folder) else {
        return Vec::new();
    };
    list.filter_map(|entry| Some(entry.ok()?.path().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn own_process_and_its_namespaces_are_counted() {
        let found = KernelObjects::snapshot().unwrap();
        let me = format!("{} ", std::process::id());
        assert!(
            found
                .of(Kind::Process, "")
                .names
                .iter()
                .any(|name| name.starts_with(&me))
        );
        let net = fs::read_link("/proc/self/ns/net")
            .unwrap()
            .to_string_lossy()
            .into_owned();
        assert!(found.of(Kind::Namespace, "net").names.contains(&net));
    }

    #[test]
    fn a_tree_holds_its_root_and_leaves_strangers_out() {
        let me = std::process::id() as i32;
        let scope = Scope::Trees {
            roots: vec![me],
            cgroup_part: "nothing has this name".into(),
        };
        let found = KernelObjects::take(&Probe {
            scope,
            ..Probe::default()
        })
        .unwrap();
        let names = found.of(Kind::Process, "").names;
        assert!(names.iter().any(|name| name.starts_with(&format!("{me} "))));
        assert!(
            !names.iter().any(|name| name.starts_with("1 ")),
            "{names:?}"
        );
    }

    #[test]
    fn an_open_descriptor_is_counted_and_named() {
        let me = std::process::id() as i32;
        let file = tempfile::NamedTempFile::new().unwrap();
        let found = descriptors(me);
        let path = file.path().display().to_string();
        assert!(
            found.names.iter().any(|name| name.ends_with(&path)),
            "{:?}",
            found.names
        );
    }

    #[test]
    fn only_namespace_links_are_taken_for_namespaces() {
        let mut found = KernelObjects::default();
        for target in [
            "net:[1]",
            "socket:[2]",
            "pipe:[3]",
            "/etc/passwd",
            "net:[1]",
            "uts:[4",
        ] {
            add_namespace(target, &mut found);
        }
        assert_eq!(found.groups().count(), 1);
        assert_eq!(found.of(Kind::Namespace, "net").count, 1);
    }
}
