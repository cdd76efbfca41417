//! What the kernel and the machine offer, for `offshoot doctor`.
//!
//! System calls are probed with arguments that cannot do anything: a kernel without the call
//! answers `ENOSYS`, one with it something else.

mod host;

use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{FsOpenFlags, OpenTreeFlags};
use rustix::process::PidfdFlags;

use crate::cgroup::{Hierarchies, Hierarchy, Version};

/// Something that sandboxes use or that weakens them, and what this machine has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub present: bool,
    /// Whether sandboxes cannot be made without it.
    pub required: bool,
    /// What it is needed for.
    pub needed_for: &'static str,
    /// What happens without it, or what to do about it.
    pub without_it: &'static str,
    /// What was found, in words; may be empty.
    pub found: String,
}

/// Looks at everything. Takes a few milliseconds and changes nothing.
pub fn features() -> Vec<Feature> {
    let mut features = vec![root()];
    features.extend(namespaces());
    features.extend(cgroups());
    features.extend(system_calls());
    features.extend(file_systems());
    features.extend(host::network());
    features.extend(host::hardening());
    features
}

fn required(
    name: &'static str,
    present: bool,
    needed_for: &'static str,
    without_it: &'static str,
) -> Feature {
    Feature {
        name,
        present,
        required: true,
        needed_for,
        without_it,
        found: String::new(),
    }
}

fn optional(
    name: &'static str,
    present: bool,
    needed_for: &'static str,
    without_it: &'static str,
) -> Feature {
    Feature {
        required: false,
        ..required(name, present, needed_for, without_it)
    }
}

fn with_found(found: impl Into<String>, feature: Feature) -> Feature {
    Feature {
        found: found.into(),
        ..feature
    }
}

fn root() -> Feature {
    let uid = rustix::process::geteuid();
    let feature = required(
        "root",
        uid.is_root(),
        "namespaces, mounts and control groups",
        "no sandbox can be made: start the daemon as root",
    );
    with_found(format!("effective uid {}", uid.as_raw()), feature)
}

fn namespaces() -> Vec<Feature> {
    let kinds = [
        ("mnt", "mount namespaces"),
        ("pid", "PID namespaces"),
        ("net", "network namespaces"),
        ("ipc", "IPC namespaces"),
        ("uts", "UTS namespaces"),
        ("cgroup", "cgroup namespaces"),
    ];
    let feature = |(file, name)| {
        let present = Path::new("/proc/self/ns").join(file).exists();
        required(
            name,
            present,
            "the isolation of a sandbox",
            "no sandbox can be made",
        )
    };
    kinds.map(feature).to_vec()
}

fn cgroups() -> Vec<Feature> {
    let hierarchies = Hierarchies::detect();
    let message = hierarchies
        .as_ref()
        .err()
        .map(ToString::to_string)
        .unwrap_or_default();
    let hierarchies = hierarchies.ok();
    let place = |hierarchy: Option<&Hierarchy>| match hierarchy {
        Some(hierarchy) => {
            let version = match hierarchy.version {
                Version::V1 => "v1",
                Version::V2 => "v2",
            };
            format!("{version} at {}", hierarchy.mount.display())
        }
        None => message.clone(),
    };
    let unified = hierarchies.as_ref().map(|found| &found.unified);
    let controller = |name, pick: fn(&Hierarchies) -> &Hierarchy, needed_for| {
        let found = hierarchies.as_ref().map(pick);
        let without_it = "no sandbox can be made: mount it or enable it";
        with_found(
            place(found),
            required(name, found.is_some(), needed_for, without_it),
        )
    };
    vec![
        with_found(
            place(unified),
            required(
                "cgroup2 mount",
                unified.is_some(),
                "cgroup.kill and cloning into a group",
                "no sandbox can be made: mount cgroup2, a hybrid layout will do",
            ),
        ),
        controller(
            "memory controller",
            |found| &found.memory,
            "memory limit and peak",
        ),
        controller("cpu controller", |found| &found.cpu, "a share of the CPUs"),
        controller(
            "pids controller",
            |found| &found.pids,
            "a limit of processes",
        ),
        required(
            "cgroup.kill",
            unified.is_some_and(has_cgroup_kill),
            "ending what a killed daemon left",
            "stray processes are killed one by one (before Linux 5.14)",
        ),
    ]
}

/// The file is in every group but the root.
fn has_cgroup_kill(unified: &Hierarchy) -> bool {
    let groups = std::fs::read_dir(&unified.mount)
        .into_iter()
        .flatten()
        .flatten();
    let in_a_group = groups
        .into_iter()
        .any(|group| group.path().join("cgroup.kill").exists());
    in_a_group || kernel_at_least(5, 14)
}

fn kernel_at_least(major: u32, minor: u32) -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut parts = release
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    found >= (major, minor)
}

fn system_calls() -> Vec<Feature> {
    let there = |result: Result<(), Errno>| result != Err(Errno::NOSYS);
    let me = rustix::process::getpid();
    let pidfd = rustix::process::pidfd_open(me, PidfdFlags::empty()).map(drop);
    let openat2 = rustix::fs::openat2(
        CWD,
        "/",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS,
    );
    let open_tree = rustix::mount::open_tree(CWD, "/", OpenTreeFlags::OPEN_TREE_CLOEXEC);
    let no_sandbox = "no sandbox can be made: the kernel is too old";
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    vec![
        with_found(
            release,
            required(
                "clone3 into a cgroup",
                kernel_at_least(5, 7),
                "starting in the sandbox's group",
                no_sandbox,
            ),
        ),
        required(
            "pidfd",
            there(pidfd),
            "knowing when a sandbox has ended",
            no_sandbox,
        ),
        required(
            "openat2",
            there(openat2.map(drop)),
            "paths without surprises",
            no_sandbox,
        ),
        required(
            "open_tree",
            there(open_tree.map(drop)),
            "mounts by descriptor",
            no_sandbox,
        ),
        required(
            "mount_setattr",
            kernel_at_least(5, 12),
            "making a tree of mounts read-only at once",
            no_sandbox,
        ),
        required(
            "seccomp filters",
            reads("/proc/sys/kernel/seccomp/actions_avail", "errno"),
            "refusing system calls",
            "no sandbox can be made: the kernel needs CONFIG_SECCOMP_FILTER",
        ),
    ]
}

fn file_systems() -> Vec<Feature> {
    let known = |name: &str| {
        let context = rustix::mount::fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC);
        context.is_ok() || reads("/proc/filesystems", name)
    };
    vec![
        required(
            "tmpfs",
            known("tmpfs"),
            "the root and /tmp of a sandbox",
            "no sandbox",
        ),
        optional(
            "overlayfs",
            known("overlay"),
            "functions with several layers",
            "only functions with no or one layer start",
        ),
        required(
            "hidepid=invisible",
            kernel_at_least(5, 8),
            "hiding processes of other users in /proc",
            "no sandbox can be made: the kernel is too old",
        ),
    ]
}

fn reads(path: &str, word: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_says_what_it_is_for_and_what_its_absence_means() {
        let features = features();
        assert!(features.len() > 20);
        for feature in &features {
            assert!(!feature.needed_for.is_empty() && !feature.without_it.is_empty());
        }
        let mut names: Vec<&str> = features.iter().map(|feature| feature.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), features.len());
    }
}
