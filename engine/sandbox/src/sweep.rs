//! Removing what a killed daemon of the same owner left on the host.
//!
//! Normally there is next to nothing: the nursery dies with the daemon, every init with the nursery,
//! and mounts and links live in namespaces that end with them. Control groups stay, and so may
//! processes that were between two steps.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;
use rustix::process::{Pid, Signal};

use crate::cgroup::{Hierarchies, places};
use crate::error::NetworkError;
use crate::net::{Netlink, link_prefix, remove_table};
use crate::owner::{self, tag};

/// How long the sweep waits for killed processes and busy groups.
const LIMIT: Duration = Duration::from_secs(5);

/// What a sweep removed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Processes that were killed.
    pub processes: usize,
    /// Control groups, counted once in each hierarchy.
    pub cgroups: usize,
    /// Network links.
    pub links: usize,
    /// Whether a table of rules was there and was removed.
    pub table: bool,
    /// What could not be removed: paths and names, with the reason.
    pub remains: Vec<String>,
}

/// Kills and removes everything of `owner`. No launcher of that owner may be alive.
///
/// Blocks for some milliseconds, and up to 5 seconds if something is busy.
pub fn sweep(owner: &str) -> SweepReport {
    let mut report = SweepReport::default();
    if !owner::is_valid(owner) {
        report
            .remains
            .push(format!("owner {owner:?} is not a possible name"));
        return report;
    }
    match Hierarchies::detect() {
        Ok(hierarchies) => {
            for hierarchy in hierarchies.distinct() {
                for place in places(hierarchy, owner) {
                    sweep_groups(&place, &mut report);
                }
            }
        }
        Err(error) => report.remains.push(format!("control groups: {error}")),
    }
    sweep_links(owner, &mut report);
    report
}

/// The owners that have control groups on this machine, living launchers' and dead ones', each once.
pub fn owners() -> Vec<String> {
    let hierarchies = Hierarchies::detect().ok();
    let hierarchies = hierarchies.as_ref().map(Hierarchies::distinct);
    let mut names = BTreeSet::new();
    for hierarchy in hierarchies.into_iter().flatten() {
        // The place of an owner without a name is the directory of all.
        for place in places(hierarchy, "") {
            let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
            let directories = entries.filter(|entry| entry.path().is_dir());
            names.extend(directories.filter_map(|entry| entry.file_name().into_string().ok()));
        }
    }
    names.into_iter().collect()
}

fn sweep_groups(directory: &Path, report: &mut SweepReport) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let groups: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    for group in &groups {
        report.processes += kill_all(group);
    }
    for group in &groups {
        match remove_when_free(group) {
            Ok(()) => report.cgroups += 1,
            Err(errno) => report.remains.push(format!("{}: {errno}", group.display())),
        }
    }
    let _ = rustix::fs::unlinkat(rustix::fs::CWD, directory, AtFlags::REMOVEDIR);
    if let Some(top) = directory.parent() {
        let _ = rustix::fs::unlinkat(rustix::fs::CWD, top, AtFlags::REMOVEDIR);
    }
}

/// Kills the processes of a group; how many there were.
fn kill_all(group: &Path) -> usize {
    let pids = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let pids: Vec<Pid> = pids
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect();
    // On v2 the kernel does it, also for those that are being cloned just now.
    if std::fs::write(group.join("cgroup.kill"), "1").is_err() {
        for pid in &pids {
            let _ = rustix::process::kill_process(*pid, Signal::KILL);
        }
    }
    pids.len()
}

fn remove_when_free(group: &Path) -> rustix::io::Result<()> {
    let started = Instant::now();
    loop {
        match rustix::fs::unlinkat(rustix::fs::CWD, group, AtFlags::REMOVEDIR) {
            Err(rustix::io::Errno::BUSY) if started.elapsed() < LIMIT => {
                kill_all(group);
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

fn sweep_links(owner: &str, report: &mut SweepReport) {
    let tag = tag(owner);
    let prefix = link_prefix(&tag);
    let names = std::fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let links: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
    if !links.is_empty() {
        match delete_links(&links) {
            Ok(()) => report.links = links.len(),
            Err(message) => report.remains.push(format!("links {links:?}: {message}")),
        }
    }
    // Links end with their sandboxes, and the table does not.
    match remove_table(Path::new("nft"), &tag) {
        Ok(removed) => report.table = removed,
        Err(NetworkError::NftMissing) => {}
        Err(error) => report.remains.push(format!("rules: {error}")),
    }
}

/// On a thread and runtime of its own: the caller may or may not be on one.
fn delete_links(links: &[String]) -> Result<(), String> {
    let delete = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let netlink = Netlink::open().map_err(|error| error.to_string())?;
            for link in links {
                netlink
                    .delete(link)
                    .await
                    .map_err(|error| error.to_string())?;
            }
            Ok(())
        })
    };
    std::thread::scope(|scope| {
        scope
            .spawn(delete)
            .join()
            .unwrap_or_else(|_| Err("the sweeping thread panicked".into()))
    })
}
