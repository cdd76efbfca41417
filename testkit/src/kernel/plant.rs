//! Leaks on purpose: the positive control of every leak test.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::mount::{MountFlags, UnmountFlags};
use tempfile::TempDir;

use super::cgroups::hierarchies;

/// What is left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leak {
    /// A sleeping process.
    Process,
    /// An empty control group in the first hierarchy that takes one.
    Cgroup,
    /// A mounted tmpfs.
    Mount,
    /// A network namespace that only a bind mount holds.
    NetNamespace,
    /// A pair of virtual Ethernet links.
    Veth,
}

impl Leak {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Process,
        Self::Cgroup,
        Self::Mount,
        Self::NetNamespace,
        Self::Veth,
    ];
}

/// A planted leak; dropping it cleans up.
#[derive(Debug)]
pub struct Planted(Trace);

#[derive(Debug)]
enum Trace {
    Process(Child),
    Cgroup(PathBuf),
    Mount(TempDir),
    Bound(TempDir),
    Link(String),
}

const BOUND: &str = "net";

/// Leaves one object behind. Needs root, and `unshare` and `ip` for the last two.
pub fn plant(leak: Leak) -> io::Result<Planted> {
    let trace = match leak {
        Leak::Process => Trace::Process(
            Command::new("sleep")
                .arg("600")
                .stdin(Stdio::null())
                .spawn()?,
        ),
        Leak::Cgroup => Trace::Cgroup(make_cgroup()?),
        Leak::Mount => {
            let folder = tempfile::tempdir()?;
            rustix::mount::mount("planted", folder.path(), "tmpfs", MountFlags::empty(), None)?;
            Trace::Mount(folder)
        }
        Leak::NetNamespace => {
            let folder = tempfile::tempdir()?;
            let file = folder.path().join(BOUND);
            fs::write(&file, "")?;
            run(Command::new("unshare")
                .arg(format!("--net={}", file.display()))
                .arg("true"))?;
            Trace::Bound(folder)
        }
        Leak::Veth => {
            // At most 15 bytes, and unlike any other run's.
            let name = format!("pl{}", std::process::id());
            let peer = format!("{name}p");
            run(Command::new("ip")
                .args(["link", "add", &name, "type", "veth", "peer", "name", &peer]))?;
            Trace::Link(name)
        }
    };
    Ok(Planted(trace))
}

fn make_cgroup() -> io::Result<PathBuf> {
    let name = format!("planted-{}", std::process::id());
    let mut last = io::Error::new(
        io::ErrorKind::NotFound,
        "no control group hierarchy is mounted",
    );
    for hierarchy in hierarchies().map_err(io::Error::other)? {
        let path = hierarchy.join(&name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{command:?} ended with {}: {said}",
        output.status
    )))
}

impl Drop for Planted {
    fn drop(&mut self) {
        match &mut self.0 {
            Trace::Process(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Trace::Cgroup(path) => drop(fs::remove_dir(path)),
            Trace::Mount(folder) => {
                let _ = rustix::mount::unmount(folder.path(), UnmountFlags::DETACH);
            }
            Trace::Bound(folder) => {
                let _ = rustix::mount::unmount(folder.path().join(BOUND), UnmountFlags::DETACH);
            }
            Trace::Link(name) => drop(run(Command::new("ip").args(["link", "del", name]))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kernel::{Drift, KernelObjects, Kind, drift};

    /// Other work on the machine may drift at the same time, so only the planted kind is looked for.
    fn seen(leak: Leak, drifts: &[Drift]) -> bool {
        let planted = |d: &Drift| match leak {
            Leak::Process => d.group.kind == Kind::Process && named(d, "sleep"),
            Leak::Cgroup => d.group.kind == Kind::CgroupDir && named(d, "planted-"),
            Leak::Mount => d.group.kind == Kind::Mount && named(d, "tmpfs at /"),
            Leak::NetNamespace => d.group.kind == Kind::Namespace && d.group.of == "net",
            Leak::Veth => d.group.kind == Kind::Link && named(d, "pl"),
        };
        drifts.iter().any(|d| planted(d) && d.is_growth())
    }

    fn named(drift: &Drift, part: &str) -> bool {
        drift.appeared.iter().any(|name| name.contains(part))
    }

    #[test]
    fn every_planted_leak_is_seen() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: planting leaks needs root");
            return;
        }
        for leak in Leak::ALL {
            // Another test may end as many objects of the kind meanwhile.
            assert!(
                (0..5).any(|_| planted_is_seen(leak)),
                "{leak:?} was not seen"
            );
        }
    }

    fn planted_is_seen(leak: Leak) -> bool {
        let before = KernelObjects::snapshot().unwrap();
        let _planted = plant(leak).unwrap();
        seen(leak, &drift(&before, &KernelObjects::snapshot().unwrap()))
    }
}
