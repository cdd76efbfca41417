//! A launcher's directories in the hierarchies, and the groups made in them.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::{Group, Hierarchies, Hierarchy, TOP, Version, failed};
use crate::error::CgroupError;

/// `offshoot/<owner>` in one hierarchy, open.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) version: Version,
    pub(crate) path: PathBuf,
    pub(crate) directory: OwnedFd,
    pub(crate) has_memory: bool,
    pub(crate) has_cpu: bool,
    pub(crate) has_pids: bool,
}

/// `offshoot/<owner>` in every hierarchy; the first one is the v2 hierarchy.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) branches: Vec<Arc<Branch>>,
}

const CONTROLLERS: &[u8] = b"+memory +cpu +pids";

impl Tree {
    /// Makes the directories, or opens those that are there.
    pub(crate) fn open(owner: &str) -> Result<Self, CgroupError> {
        let hierarchies = Hierarchies::detect()?;
        let with =
            |controller: &Hierarchy, hierarchy: &Hierarchy| controller.mount == hierarchy.mount;
        let mut branches = Vec::new();
        for hierarchy in hierarchies.distinct() {
            let has_memory = with(&hierarchies.memory, hierarchy);
            let has_cpu = with(&hierarchies.cpu, hierarchy);
            let has_pids = with(&hierarchies.pids, hierarchy);
            let controls = has_memory || has_cpu || has_pids;
            let path = make_branch(hierarchy, owner, controls)?;
            let directory = open_directory(&path)?;
            branches.push(Arc::new(Branch {
                version: hierarchy.version,
                path,
                directory,
                has_memory,
                has_cpu,
                has_pids,
            }));
        }
        Ok(Self { branches })
    }

    /// Makes a sandbox's group in every hierarchy; what was made is removed if one fails.
    pub(crate) fn create(&self, id: &str) -> Result<Group, CgroupError> {
        Group::create(&self.branches, id)
    }

    /// Removes the launcher's own directories if no sandbox's group is left in them.
    pub(crate) fn remove(&self) {
        for branch in &self.branches {
            let _ = rustix::fs::unlinkat(rustix::fs::CWD, &branch.path, AtFlags::REMOVEDIR);
            if let Some(top) = branch.path.parent() {
                // Another owner's directory keeps it.
                let _ = rustix::fs::unlinkat(rustix::fs::CWD, top, AtFlags::REMOVEDIR);
            }
        }
    }
}

/// The places of a launcher's directory in a hierarchy, best first.
pub(crate) fn places(hierarchy: &Hierarchy, owner: &str) -> [PathBuf; 2] {
    [
        hierarchy.mount.join(TOP).join(owner),
        hierarchy.mount.join(&hierarchy.own).join(TOP).join(owner),
    ]
}

fn make_branch(hierarchy: &Hierarchy, owner: &str, controls: bool) -> Result<PathBuf, CgroupError> {
    let [at_root, at_own] = places(hierarchy, owner);
    match make_directories(hierarchy, &at_root, controls) {
        Ok(()) => Ok(at_root),
        Err(error) if at_own == at_root => Err(error),
        Err(_) => make_directories(hierarchy, &at_own, controls).map(|()| at_own),
    }
}

fn make_directories(hierarchy: &Hierarchy, path: &Path, controls: bool) -> Result<(), CgroupError> {
    let (Some(top), Some(base)) = (path.parent(), path.parent().and_then(Path::parent)) else {
        return Ok(());
    };
    let delegates = hierarchy.version == Version::V2 && controls;
    if delegates {
        enable_controllers(base)?;
    }
    for directory in [top, path] {
        match rustix::fs::mkdir(directory, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(failed("make", directory)(errno)),
        }
        if delegates {
            enable_controllers(directory)?;
        }
    }
    Ok(())
}

fn enable_controllers(directory: &Path) -> Result<(), CgroupError> {
    let path = directory.join("cgroup.subtree_control");
    let file = rustix::fs::open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open", &path))?;
    rustix::io::write(&file, CONTROLLERS).map_err(failed("write", &path))?;
    Ok(())
}

fn open_directory(path: &Path) -> Result<OwnedFd, CgroupError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(failed("open", path))
}
