//! Code, runtime and layers as detached read-only mounts, made in the daemon's mount namespace.
//!
//! A detached mount is a descriptor: it is attached to a sandbox, and nobody on that side ever sees the host path.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use offshoot_sys::mount_attr::{self, MountAttr};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::stage::Stage;
use crate::wire::MountPoint;

/// What a function brings into a sandbox: directories of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CodeDirs {
    /// Read-only at `/var/task`.
    pub task: Option<PathBuf>,
    /// Merged read-only at `/opt`; later ones win.
    pub layers: Vec<PathBuf>,
}

/// A function's code, prepared once and attached to many sandboxes.
#[derive(Debug)]
pub(crate) struct Code {
    dirs: CodeDirs,
    /// Device and inode of each directory when it was prepared: a path may come to mean another one.
    identities: Vec<(u64, u64)>,
    mounts: Vec<(MountPoint, OwnedFd)>,
}

impl Code {
    /// Opens the directories and lays the layers over each other.
    pub(crate) fn prepare(dirs: &CodeDirs) -> Result<Self, (Stage, io::Error)> {
        let mut mounts = Vec::new();
        if let Some(path) = &dirs.task {
            let mount = read_only_tree(path).map_err(|error| (Stage::TaskDir, error))?;
            mounts.push((MountPoint::Task, mount));
        }
        let layers = match dirs.layers.as_slice() {
            [] => None,
            [only] => Some(read_only_tree(only)),
            several => Some(overlay(several)),
        };
        if let Some(layers) = layers {
            let mount = layers.map_err(|error| (Stage::Layers, error))?;
            mounts.push((MountPoint::Layers, mount));
        }
        let identities = dirs.identities().map_err(|error| (Stage::Code, error))?;
        Ok(Self {
            dirs: dirs.clone(),
            identities,
            mounts,
        })
    }

    /// Whether its paths still mean the directories that were opened.
    pub(crate) fn is_current(&self) -> bool {
        self.dirs
            .identities()
            .is_ok_and(|now| now == self.identities)
    }

    /// Detached mounts to attach to one sandbox.
    pub(crate) fn mounts(&self) -> Result<Vec<(MountPoint, OwnedFd)>, (Stage, io::Error)> {
        let mut copies = Vec::with_capacity(self.mounts.len());
        for (point, mount) in &self.mounts {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_EMPTY_PATH;
            match rustix::mount::open_tree(mount, "", flags) {
                Ok(copy) => copies.push((*point, copy)),
                // Before Linux 6.15 a detached mount cannot be copied: then it is made again.
                Err(Errno::INVAL) => return Self::prepare(&self.dirs).map(|made| made.mounts),
                Err(errno) => return Err((Stage::Code, errno.into())),
            }
        }
        Ok(copies)
    }
}

impl CodeDirs {
    fn identities(&self) -> io::Result<Vec<(u64, u64)>> {
        let identity = |path: &PathBuf| {
            let stat = rustix::fs::lstat(path)?;
            Ok((stat.st_dev, stat.st_ino))
        };
        self.task.iter().chain(&self.layers).map(identity).collect()
    }
}

/// The mount of one directory, without the mounts below it.
pub(crate) fn read_only_tree(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let tree = rustix::mount::open_tree(CWD, path, flags)?;
    let mode = rustix::fs::fstat(&tree)?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::Directory {
        return Err(io::Error::from_raw_os_error(libc::ENOTDIR));
    }
    let attr = MountAttr {
        read_only: true,
        no_suid: true,
        no_dev: true,
        private: true,
        ..MountAttr::default()
    };
    mount_attr::set(tree.as_fd(), attr)?;
    Ok(tree)
}

/// Several directories merged by overlayfs without a writable layer; the last one wins.
fn overlay(directories: &[PathBuf]) -> io::Result<OwnedFd> {
    let opened = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut layers = Vec::with_capacity(directories.len());
    for directory in directories {
        layers.push(rustix::fs::open(directory, opened, Mode::empty())?);
    }
    // By descriptor: host paths may hold colons and commas, which the option would take apart. The
    // uppermost layer comes first (Documentation/filesystems/overlayfs).
    let mut option = String::new();
    for layer in layers.iter().rev() {
        let separator = if option.is_empty() { "" } else { ":" };
        let _ = write!(option, "{separator}/proc/self/fd/{}", layer.as_raw_fd());
    }
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(context.as_fd(), "lowerdir", option.as_str())?;
    rustix::mount::fsconfig_set_string(context.as_fd(), "source", "layers")?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    Ok(mount)
}
