//! Control groups: the kernel's own counts, and the directories of every mounted hierarchy.

use std::fs;
use std::path::{Path, PathBuf};

use procfs::process::Process;

use super::{KernelObjects, Kind, Objects, Scope, SnapshotError};

pub(super) fn count(scope: &Scope, found: &mut KernelObjects) -> Result<(), SnapshotError> {
    if *scope == Scope::Machine {
        let text = fs::read_to_string("/proc/cgroups")
            .map_err(|error| SnapshotError::new("/proc/cgroups", error))?;
        for (controller, count) in controllers(&text) {
            found.put(Kind::CgroupCount, controller, Objects::counted(count));
        }
    }
    let part = match scope {
        Scope::Machine => "",
        Scope::Trees { cgroup_part, .. } => cgroup_part,
    };
    for hierarchy in hierarchies()? {
        directories(&hierarchy, part, found);
        if *scope == Scope::Machine {
            dying(&hierarchy, found);
        }
    }
    Ok(())
}

/// Name and count of each enabled controller that is mounted; see `cgroups(7)`. Controllers that cgroup v2
/// has show hierarchy 0 with the v2 count.
fn controllers(text: &str) -> Vec<(String, u64)> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next()?;
        let count = fields.nth(1)?.parse().ok()?;
        (fields.next()? == "1").then(|| (name.to_owned(), count))
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(line)
        .collect()
}

/// Where hierarchies are mounted.
pub(super) fn hierarchies() -> Result<Vec<PathBuf>, SnapshotError> {
    let mounts = Process::myself().and_then(|me| me.mountinfo());
    let mounts = mounts.map_err(|error| {
        SnapshotError::new("/proc/self/mountinfo", std::io::Error::other(error))
    })?;
    let is_cgroup = |kind: &str| matches!(kind, "cgroup" | "cgroup2");
    Ok(mounts
        .into_iter()
        .filter(|m| is_cgroup(&m.fs_type))
        .map(|m| m.mount_point)
        .collect())
}

fn directories(hierarchy: &Path, part: &str, found: &mut KernelObjects) {
    let of = hierarchy.to_string_lossy();
    found.put(Kind::CgroupDir, of.clone(), Objects::default());
    let mut open = vec![hierarchy.to_owned()];
    while let Some(folder) = open.pop() {
        // A group may be removed while its parent is listed.
        let Ok(list) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in list
            .flatten()
            .filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()))
        {
            let path = entry.path();
            if path.to_string_lossy().contains(part) {
                found.add(Kind::CgroupDir, of.clone(), path.to_string_lossy());
            }
            open.push(path);
        }
    }
}

fn dying(hierarchy: &Path, found: &mut KernelObjects) {
    let Ok(text) = fs::read_to_string(hierarchy.join("cgroup.stat")) else {
        return;
    };
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("nr_dying_descendants "));
    if let Some(count) = count.and_then(|count| count.trim().parse().ok()) {
        found.put(
            Kind::CgroupDying,
            hierarchy.to_string_lossy(),
            Objects::counted(count),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enabled_controllers_are_counted_and_disabled_ones_are_not() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n\
                    cpu\t1\t3\t1\nmemory\t4\t13\t1\nrdma\t0\t1\t0\nbroken line\n";
        let expected = vec![("cpu".to_owned(), 3), ("memory".to_owned(), 13)];
        assert_eq!(controllers(text), expected);
    }
}
