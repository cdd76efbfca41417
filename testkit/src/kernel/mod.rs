//! Counting the kernel's objects before and after, to find what was left behind.

mod cgroups;
mod drift;
mod plant;
mod processes;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

pub use drift::{Drift, drift, settled_drift};
pub use plant::{Leak, Planted, plant};

/// What sort of object is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Processes of user space that run or sleep.
    Process,
    /// Processes that ended and were not waited for.
    Zombie,
    /// Namespaces kept alive by a task, a descriptor or a bind mount; a group for each type.
    Namespace,
    /// The kernel's own count in `/proc/cgroups`, dying groups included; a group for each controller.
    CgroupCount,
    /// Directories below a mounted hierarchy; a group for each mount point.
    CgroupDir,
    /// Groups of cgroup v2 that were removed but are still held (`cgroup.stat`).
    CgroupDying,
    /// Mounts as a process sees them.
    Mount,
    /// Network links of the caller's namespace.
    Link,
    /// Descriptors of a watched process.
    Descriptor,
    /// Memory files (`memfd_create(2)`) that some descriptor holds.
    Memfd,
    /// System V shared memory, semaphores and queues of the caller's namespace.
    SysvIpc,
    /// Tables of nftables, where `nft` is installed.
    NftTable,
    /// Open files of the whole machine (`/proc/sys/fs/file-nr`), which the kernel counts only roughly.
    OpenFile,
}

/// A kind, and which one of several: the type of a namespace, the mount point of a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// What sort of object.
    pub kind: Kind,
    /// Which of several; empty where there is one.
    pub of: String,
}

impl Group {
    pub(crate) fn new(kind: Kind, of: impl Into<String>) -> Self {
        Self {
            kind,
            of: of.into(),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Process => "processes",
            Kind::Zombie => "zombies",
            Kind::Namespace => "namespaces",
            Kind::CgroupCount => "control groups counted by the kernel",
            Kind::CgroupDir => "control group directories",
            Kind::CgroupDying => "dying control groups",
            Kind::Mount => "mounts",
            Kind::Link => "network links",
            Kind::Descriptor => "descriptors",
            Kind::Memfd => "memory files",
            Kind::SysvIpc => "System V objects",
            Kind::NftTable => "nftables tables",
            Kind::OpenFile => "open files",
        };
        if self.of.is_empty() {
            f.write_str(kind)
        } else {
            write!(f, "{kind} ({})", self.of)
        }
    }
}

/// The objects of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// How many there are.
    pub count: u64,
    /// Their names, as far as they have any. A name stands for one object and is not used again.
    pub names: BTreeSet<String>,
    /// By how much the count may be off without anything having changed.
    pub slack: u64,
}

impl Objects {
    pub(crate) fn counted(count: u64) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }
}

impl FromIterator<String> for Objects {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        let names: BTreeSet<_> = names.into_iter().collect();
        Self {
            count: names.len() as u64,
            names,
            slack: 0,
        }
    }
}

/// Whose objects are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// Everything. Right on a machine that does nothing else; whatever begins elsewhere is drift, too.
    #[default]
    Machine,
    /// For a busy machine: the processes that descend from `roots`, their namespaces, mounts, descriptors
    /// and memory files, and control groups that have `cgroup_part` in their path. What escapes from the
    /// tree, such as an orphan that `init` took over, is not seen.
    Trees {
        /// The process ids at the top.
        roots: Vec<i32>,
        /// Part of the paths of the control groups that matter.
        cgroup_part: String,
    },
}

/// Why the objects could not be counted.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}")]
pub struct SnapshotError {
    what: String,
    #[source]
    source: io::Error,
}

impl SnapshotError {
    pub(crate) fn new(what: impl Into<String>, source: io::Error) -> Self {
        Self {
            what: what.into(),
            source,
        }
    }
}

/// What to count: the scope, and the processes whose descriptors matter.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// Whose objects.
    pub scope: Scope,
    /// Processes whose descriptors are counted, with a label for each; a process that has ended has none.
    pub descriptors_of: Vec<(String, i32)>,
}

/// How many objects of each group there were at one moment. Needs root to see other users' namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelObjects {
    groups: BTreeMap<Group, Objects>,
}

impl KernelObjects {
    /// Counts the whole machine.
    pub fn snapshot() -> Result<Self, SnapshotError> {
        Self::take(&Probe::default())
    }

    /// Counts what `probe` asks for. Processes may come and go meanwhile: one that ends while it is looked
    /// at is left out.
    pub fn take(probe: &Probe) -> Result<Self, SnapshotError> {
        let mut found = Self::default();
        processes::count(probe, &mut found)?;
        cgroups::count(&probe.scope, &mut found)?;
        tables::count(&probe.scope, &mut found)?;
        Ok(found)
    }

    /// The groups, in order.
    pub fn groups(&self) -> impl Iterator<Item = (&Group, &Objects)> {
        self.groups.iter()
    }

    /// The objects of a group; none where it was not met.
    pub fn of(&self, kind: Kind, of: &str) -> Objects {
        self.groups
            .get(&Group::new(kind, of))
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn put(&mut self, kind: Kind, of: impl Into<String>, objects: Objects) {
        self.groups.insert(Group::new(kind, of), objects);
    }

    /// Adds a named object, once.
    pub(crate) fn add(&mut self, kind: Kind, of: impl Into<String>, name: impl Into<String>) {
        let objects = self.groups.entry(Group::new(kind, of)).or_default();
        if objects.names.insert(name.into()) {
            objects.count += 1;
        }
    }
}
