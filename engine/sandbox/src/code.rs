//! Code, runtime and layers as detached read-only mounts, made in the daemon's mount namespace.
//!
//! A detached mount is a descriptor: the sandbox's init attaches it and never sees the host path.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use offshoot_sys::mount_attr::{self, MountAttr};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::spec::SandboxSpec;
use crate::stage::Stage;
use crate::wire::MountPoint;

/// One mount for each directory that the spec names.
pub(crate) fn detached_mounts(
    spec: &SandboxSpec,
) -> Result<Vec<(MountPoint, OwnedFd)>, (Stage, io::Error)> {
    let mut mounts = Vec::new();
    if let Some(path) = &spec.task_dir {
        let mount = read_only_tree(path).map_err(|error| (Stage::TaskDir, error))?;
        mounts.push((MountPoint::Task, mount));
    }
    if let Some(path) = &spec.runtime_dir {
        let mount = read_only_tree(path).map_err(|error| (Stage::RuntimeDir, error))?;
        mounts.push((MountPoint::Runtime, mount));
    }
    let layers = match spec.layer_dirs.as_slice() {
        [] => None,
        [only] => Some(read_only_tree(only)),
        several => Some(overlay(several)),
    };
    if let Some(layers) = layers {
        mounts.push((
            MountPoint::Layers,
            layers.map_err(|error| (Stage::Layers, error))?,
        ));
    }
    Ok(mounts)
}

/// The mount of one directory, without the mounts below it.
fn read_only_tree(path: &Path) -> io::Result<OwnedFd> {
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
