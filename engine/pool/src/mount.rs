//! Mounting and unmounting a pool's tmpfs.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use crate::backing::Backing;
use crate::file::{open_dir, retry};

/// Mounts a tmpfs at a directory, unless it is a mount point already.
pub(crate) fn mount_tmpfs(dir: &Path, size_bytes: u64) -> Result<(), Errno> {
    let below = open_dir(dir)?;
    // Two processes may do this at once: the second one waits here for the first one's mount, and then sees it.
    retry(|| rustix::fs::flock(&below, FlockOperation::LockExclusive))?;
    let now = open_dir(dir)?;
    if Backing::detect(now.as_fd())?.is_mount_point {
        return Ok(());
    }
    match mount_with(dir, size_bytes, "within_size") {
        Err(Errno::INVAL) => {
            tracing::warn!(dir = %dir.display(), "tmpfs has no huge pages here; clones will fault more often");
            mount_with(dir, size_bytes, "never")
        }
        result => result,
    }
}

/// Unmounts a pool. `detach` does it even if files are open.
pub(crate) fn unmount(dir: &Path, detach: bool) -> Result<(), Errno> {
    let detached = if detach {
        UnmountFlags::DETACH
    } else {
        UnmountFlags::empty()
    };
    rustix::mount::unmount(dir, UnmountFlags::NOFOLLOW | detached)
}

// Not NOEXEC: clones map the code of their programs from here.
fn mount_with(dir: &Path, size_bytes: u64, huge: &str) -> Result<(), Errno> {
    let options = format!("mode=0700,size={size_bytes},huge={huge}");
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("offshoot-pool", dir, "tmpfs", flags, options.as_c_str())
}
