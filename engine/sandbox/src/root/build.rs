//! Steps from which a root file system is built, all on descriptors of a fresh tmpfs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use offshoot_sys::mount_attr::{self, MountAttr};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

/// A step of building the root file system that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}")]
pub(crate) struct BuildError {
    pub(crate) what: String,
    #[source]
    pub(crate) source: io::Error,
}

/// Says what was being done when a step failed.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BuildError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BuildError> {
        self.map_err(|error| BuildError {
            what: what(),
            source: error.into(),
        })
    }
}

/// A tmpfs that is not attached anywhere yet.
pub(crate) fn new_tmpfs(size: &str, attributes: MountAttrFlags) -> Result<OwnedFd, BuildError> {
    let make = || -> rustix::io::Result<OwnedFd> {
        let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_set_string(context.as_fd(), "size", size)?;
        rustix::mount::fsconfig_set_string(context.as_fd(), "mode", "0755")?;
        rustix::mount::fsconfig_set_string(context.as_fd(), "source", "offshoot")?;
        rustix::mount::fsconfig_create(context.as_fd())?;
        rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    make().doing(|| "make a tmpfs".into())
}

/// A detached, read-only, recursive copy of the mounts at a host directory; `None` if it is not
/// there or not a directory of its own (a symbolic link).
pub(crate) fn clone_host_tree(path: &str) -> Result<Option<OwnedFd>, BuildError> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).doing(|| format!("look at {path}")),
    };
    if !metadata.is_dir() {
        return Ok(None);
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let tree =
        rustix::mount::open_tree(CWD, path, flags).doing(|| format!("open the tree {path}"))?;
    let attr = MountAttr {
        read_only: true,
        no_suid: true,
        no_dev: true,
        private: true,
        recursive: true,
        ..MountAttr::default()
    };
    mount_attr::set(tree.as_fd(), attr).doing(|| format!("make {path} read-only"))?;
    Ok(Some(tree))
}

/// Attaches a detached mount at `path` below `root`.
pub(crate) fn attach(mount: &OwnedFd, root: &OwnedFd, path: &str) -> Result<(), BuildError> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", root, path, flags).doing(|| format!("attach {path}"))
}

/// Attaches a detached mount at an absolute path of the current root.
pub(crate) fn attach_absolute(mount: &OwnedFd, path: &str) -> Result<(), BuildError> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", CWD, path, flags).doing(|| format!("attach {path}"))
}

/// Makes a mount read-only.
pub(crate) fn seal(mount: &OwnedFd, path: &str) -> Result<(), BuildError> {
    let attr = MountAttr {
        read_only: true,
        ..MountAttr::default()
    };
    mount_attr::set(mount.as_fd(), attr).doing(|| format!("make {path} read-only"))
}

/// Makes a directory of mode 0755.
pub(crate) fn directory(root: &OwnedFd, path: &str) -> Result<(), BuildError> {
    rustix::fs::mkdirat(root, path, Mode::from_raw_mode(0o755))
        .doing(|| format!("make the directory {path}"))
}

/// Makes a symbolic link.
pub(crate) fn link(root: &OwnedFd, path: &str, target: &str) -> Result<(), BuildError> {
    rustix::fs::symlinkat(target, root, path).doing(|| format!("make the link {path}"))
}

/// Writes a file of mode 0644.
pub(crate) fn file(root: &OwnedFd, path: &str, content: &[u8]) -> Result<(), BuildError> {
    write_new(root, path, content).doing(|| format!("write {path}"))
}

/// Writes a file of mode 0644 that must not be there yet.
pub(crate) fn write_new(
    directory: impl AsFd,
    path: &str,
    content: &[u8],
) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, path, flags, Mode::from_raw_mode(0o644))?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, rest))?;
        rest = &rest[written..];
    }
    Ok(())
}

/// Makes a character device that everybody may use.
pub(crate) fn device(root: &OwnedFd, name: &str, minor: u32) -> Result<(), BuildError> {
    let mode = Mode::from_raw_mode(0o666);
    let number = rustix::fs::makedev(MEMORY_DEVICES, minor);
    rustix::fs::mknodat(root, name, FileType::CharacterDevice, mode, number)
        .doing(|| format!("make the device {name}"))
}

/// The major number of null, zero, full, random and urandom (`Documentation/admin-guide/devices`).
const MEMORY_DEVICES: u32 = 1;

/// Makes `root`, attached somewhere, the root of this process and mount namespace, and detaches
/// the old one.
pub(crate) fn become_root(root: &OwnedFd) -> Result<(), BuildError> {
    let turn = || -> rustix::io::Result<()> {
        rustix::process::fchdir(root)?;
        // Both at "." stacks the old root on the new one, so that no directory is needed for it
        // (pivot_root(2), "Notes").
        rustix::process::pivot_root(".", ".")?;
        rustix::mount::unmount(".", UnmountFlags::DETACH)?;
        rustix::process::chdir("/")
    };
    turn().doing(|| "change the root".into())
}
