//! Which hierarchies are mounted, and which of them has which controller.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::CgroupError;

/// The interface of a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A mounted hierarchy, and where in it the daemon itself is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    pub(crate) mount: PathBuf,
    /// The daemon's own group, below the mount.
    pub(crate) own: PathBuf,
}

/// The hierarchies that a sandbox is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    pub(crate) unified: Hierarchy,
    pub(crate) memory: Hierarchy,
    pub(crate) cpu: Hierarchy,
    pub(crate) pids: Hierarchy,
}

impl Hierarchies {
    /// Looks at this process's mounts and groups.
    pub(crate) fn detect() -> Result<Self, CgroupError> {
        let read = |path: &str| {
            std::fs::read_to_string(path).map_err(|source| CgroupError::Io {
                action: "read",
                path: PathBuf::from(path),
                source,
            })
        };
        let mounts = read("/proc/self/mountinfo")?;
        let own = read("/proc/self/cgroup")?;
        Self::from_text(&mounts, &own, |mount| {
            std::fs::read_to_string(mount.join("cgroup.controllers"))
        })
    }

    fn from_text(
        mounts: &str,
        own: &str,
        read_controllers: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, CgroupError> {
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let v2 = mounts.iter().find(|mount| mount.version == Version::V2);
        let v2 = v2.ok_or(CgroupError::Missing { what: "cgroup2" })?;
        let unified = Hierarchy {
            version: Version::V2,
            mount: v2.path.clone(),
            own: own_group(own, ""),
        };
        let controllers = read_controllers(&unified.mount).unwrap_or_default();
        let find = |what: &'static str| {
            let on_v1 = mounts.iter().find(|mount| {
                mount.version == Version::V1 && mount.options.iter().any(|option| option == what)
            });
            match on_v1 {
                Some(mount) => Ok(Hierarchy {
                    version: Version::V1,
                    mount: mount.path.clone(),
                    own: own_group(own, what),
                }),
                None if controllers.split_whitespace().any(|name| name == what) => {
                    Ok(unified.clone())
                }
                None => Err(CgroupError::Missing { what }),
            }
        };
        let (memory, cpu, pids) = (find("memory")?, find("cpu")?, find("pids")?);
        Ok(Self {
            unified,
            memory,
            cpu,
            pids,
        })
    }

    /// Each hierarchy once.
    pub(crate) fn distinct(&self) -> Vec<&Hierarchy> {
        let mut distinct: Vec<&Hierarchy> = Vec::new();
        for hierarchy in [&self.unified, &self.memory, &self.cpu, &self.pids] {
            if !distinct.iter().any(|known| known.mount == hierarchy.mount) {
                distinct.push(hierarchy);
            }
        }
        distinct
    }
}

/// A line of `/proc/<pid>/mountinfo` that mounts a cgroup hierarchy (`proc(5)`).
struct Mount {
    version: Version,
    path: PathBuf,
    options: Vec<String>,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let version = match kind.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        let path = PathBuf::from(place.split(' ').nth(4)?);
        let options = kind.nth(1)?.split(',').map(str::to_owned).collect();
        Some(Self {
            version,
            path,
            options,
        })
    }
}

/// The path of this process's group in the hierarchy with that controller; the v2 hierarchy has
/// none in `/proc/<pid>/cgroup` (`cgroups(7)`).
fn own_group(own: &str, controller: &str) -> PathBuf {
    let line = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let controllers = parts.nth(1)?;
        let path = parts.next()?;
        controllers
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    });
    PathBuf::from(line.unwrap_or("/").trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HYBRID: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const UNIFIED: &str = "\
30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn hybrid_layout_is_three_v1_hierarchies_and_one_v2() {
        let own = "8:pids:/a\n4:memory:/process/1\n1:cpu,cpuacct:/\n0::/x\n";
        let found = Hierarchies::from_text(HYBRID, own, |_| Ok(String::new())).unwrap();
        assert_eq!(found.memory.version, Version::V1);
        assert_eq!(found.memory.own, Path::new("process/1"));
        assert_eq!(found.cpu.mount, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(found.unified.own, Path::new("x"));
        assert_eq!(found.distinct().len(), 4);
    }

    #[test]
    fn unified_layout_is_one_hierarchy() {
        let controllers = |_: &Path| Ok("cpuset cpu io memory pids\n".to_owned());
        let found = Hierarchies::from_text(UNIFIED, "0::/system.slice\n", controllers).unwrap();
        assert_eq!(found.memory.version, Version::V2);
        assert_eq!(found.distinct().len(), 1);
    }

    #[test]
    fn missing_controller_is_named() {
        let controllers = |_: &Path| Ok("cpu memory\n".to_owned());
        let error = Hierarchies::from_text(UNIFIED, "0::/\n", controllers).unwrap_err();
        assert!(matches!(error, CgroupError::Missing { what: "pids" }));
    }

    #[test]
    fn machine_without_cgroup2_is_refused() {
        let v1_only = HYBRID.lines().filter(|line| !line.contains("cgroup2"));
        let text: Vec<&str> = v1_only.collect();
        let error = Hierarchies::from_text(&text.join("\n"), "", |_| Ok(String::new()));
        assert!(matches!(
            error.unwrap_err(),
            CgroupError::Missing { what: "cgroup2" }
        ));
    }
}
