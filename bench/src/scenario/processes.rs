//! The processes of a daemon, what each is, and how much memory they have.

use std::collections::HashMap;
use std::fs;

use procfs::process::{Process, all_processes};

/// In the command line of everything that runs our bootstraps.
const BOOTSTRAP: &str = "bootstrap.";
/// In the command line of the nursery of templates, and of all that it has made.
const TEMPLATES: &str = "__templates";

/// What a process of a daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Kind {
    /// The daemon itself, its nurseries, and what sandboxes need.
    Service,
    /// A seed's template.
    Template,
    /// An instance that was started and has initialised.
    Started,
    /// An instance that is a clone, parked or not.
    Clone,
}

/// A process of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) struct Member {
    pub(in crate::scenario) pid: i32,
    pub(in crate::scenario) kind: Kind,
}

/// The daemon and everything below it. Processes that end meanwhile are left out.
pub(in crate::scenario) fn of_daemon(daemon: i32) -> anyhow::Result<Vec<Member>> {
    let all: HashMap<i32, Described> = all_processes()?
        .flatten()
        .filter_map(|process| Some((process.pid, Described::of(&process)?)))
        .collect();
    let mut members: Vec<Member> = all
        .iter()
        .filter(|(pid, _)| descends(**pid, daemon, &all))
        .map(|(pid, one)| Member {
            pid: *pid,
            kind: kind(one, daemon, &all),
        })
        .collect();
    members.sort_unstable_by_key(|member| member.pid);
    Ok(members)
}

/// The instances of one kind.
pub(in crate::scenario) fn instances(daemon: i32, kind: Kind) -> anyhow::Result<Vec<i32>> {
    let members = of_daemon(daemon)?.into_iter();
    Ok(members
        .filter(|member| member.kind == kind)
        .map(|member| member.pid)
        .collect())
}

/// Memory that a process has mapped, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) struct Memory {
    /// Each page divided by the number of processes that have it mapped.
    pub(in crate::scenario) proportional_kb: u64,
    /// The part of it that is of no file: other pages the kernel takes back when it must.
    pub(in crate::scenario) anonymous_kb: u64,
    /// Pages that no other process has mapped.
    pub(in crate::scenario) own_kb: u64,
}

/// A process's memory; `None` if it has ended.
pub(in crate::scenario) fn memory(pid: i32) -> Option<Memory> {
    memory_in(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

fn memory_in(rollup: &str) -> Option<Memory> {
    let kb = |name: &str| {
        let value = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    Some(Memory {
        proportional_kb: kb("Pss:")?,
        anonymous_kb: kb("Pss_Anon:")?,
        own_kb: kb("Private_Clean:")? + kb("Private_Dirty:")?,
    })
}

/// What is read of a process.
#[derive(Debug)]
struct Described {
    words: Vec<String>,
    user: u32,
    parent: i32,
}

impl Described {
    fn of(process: &Process) -> Option<Self> {
        Some(Self {
            words: process.cmdline().ok()?,
            user: process.uid().ok()?,
            parent: process.stat().ok()?.ppid,
        })
    }

    fn has(&self, part: &str) -> bool {
        self.words.iter().any(|word| word.contains(part))
    }
}

fn descends(pid: i32, daemon: i32, all: &HashMap<i32, Described>) -> bool {
    let mut at = pid;
    // Bounded, as the processes were not read at one moment.
    for _ in 0..64 {
        if at == daemon {
            return true;
        }
        let Some(one) = all.get(&at) else {
            return false;
        };
        at = one.parent;
    }
    false
}

/// Instances are made by a nursery below the daemon, clones by that of templates; templates are the daemon's user's.
fn kind(one: &Described, daemon: i32, all: &HashMap<i32, Described>) -> Kind {
    let nursery = all.get(&one.parent);
    let Some(nursery) = nursery.filter(|nursery| nursery.parent == daemon) else {
        return Kind::Service;
    };
    match (one.has(BOOTSTRAP), nursery.has(TEMPLATES), one.user) {
        (false, ..) => Kind::Service,
        (true, true, 0) => Kind::Template,
        (true, true, _) => Kind::Clone,
        (true, false, 0) => Kind::Service,
        (true, false, _) => Kind::Started,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(words: &str, user: u32, parent: i32) -> Described {
        let words = words.split(' ').map(str::to_owned).collect();
        Described {
            words,
            user,
            parent,
        }
    }

    #[test]
    fn processes_are_told_apart_by_who_made_them_and_whose_they_are() {
        let all = HashMap::from([
            (10, one("offshoot serve", 0, 1)),
            (11, one("offshoot __nursery", 0, 10)),
            (12, one("offshoot __templates", 0, 10)),
            (13, one("python3 /opt/bootstrap.py", 1001, 11)),
            (14, one("python3 /opt/bootstrap.py", 0, 12)),
            (15, one("python3 /opt/bootstrap.py", 1001, 12)),
            (16, one("init", 65_534, 11)),
            (20, one("python3 /opt/bootstrap.py", 1001, 21)),
        ]);
        let kinds = [11, 13, 14, 15, 16].map(|pid| kind(&all[&pid], 10, &all));
        let expected = [
            Kind::Service,
            Kind::Started,
            Kind::Template,
            Kind::Clone,
            Kind::Service,
        ];
        assert_eq!(kinds, expected);
        assert!(descends(15, 10, &all) && !descends(20, 10, &all));
    }

    #[test]
    fn memory_is_read_from_the_rollup() {
        let rollup = "1-2 ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss:     512 kB\nPss_Anon: 1 kB\n\
            Private_Clean: 3 kB\nPrivate_Dirty: 40 kB\n";
        let expected = Memory {
            proportional_kb: 512,
            anonymous_kb: 1,
            own_kb: 43,
        };
        assert_eq!(memory_in(rollup), Some(expected));
        assert_eq!(memory_in("Pss: 1 kB\n"), None);
        let own = std::process::id() as i32;
        assert!(memory(own).unwrap().own_kb > 100);
        let members = of_daemon(own).unwrap();
        assert!(members.iter().any(|member| member.pid == own));
    }
}
