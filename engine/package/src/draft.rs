//! A package that is not one yet: the fresh directory that a worker writes into, and the zip it
//! reads.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{Gid, MemfdFlags, Mode, OFlags, SealFlags, Uid};
use rustix::io::Errno;

use crate::removal::{fresh_name, remove_tree};

/// The directory of a package that sandboxes bind.
pub(crate) const TREE: &str = "tree";

/// A package being made. Its directory is removed when dropped, unless it was kept.
pub(crate) struct Draft<'a> {
    root: &'a OwnedFd,
    /// Its name in the store.
    pub(crate) name: String,
    /// The directory to unpack into.
    pub(crate) tree: OwnedFd,
    kept: bool,
}

impl<'a> Draft<'a> {
    /// Makes the directory in `root`. `worker` owns it for now, or the daemon if there is no
    /// other uid.
    pub(crate) fn make(root: &'a OwnedFd, worker: Option<u32>) -> Result<Self, Errno> {
        let name = fresh_name();
        rustix::fs::mkdirat(root, &name, Mode::from_raw_mode(0o700))?;
        let tree = make_tree(root, &name, worker).inspect_err(|_| {
            // The first error is the one to tell; a left-over is cleared at the next start.
            let _ = remove_tree(root, &name);
        })?;
        Ok(Self {
            root,
            name,
            tree,
            kept: false,
        })
    }

    /// Gives it its lasting name. If that exists, another thread was first, and this one goes.
    pub(crate) fn keep_as(mut self, name: &str) -> Result<(), Errno> {
        match rustix::fs::renameat(self.root, &self.name, self.root, name) {
            Ok(()) => self.kept = true,
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }
}

fn make_tree(root: &OwnedFd, name: &str, worker: Option<u32>) -> Result<OwnedFd, Errno> {
    let path = format!("{name}/{TREE}");
    let mode = Mode::from_raw_mode(0o755);
    rustix::fs::mkdirat(root, &path, mode)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let tree = rustix::fs::openat(root, &path, flags, Mode::empty())?;
    if let Some(uid) = worker {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
        rustix::fs::fchown(&tree, Some(uid), Some(gid))?;
    }
    // Neither the umask nor a setgid bit from above may decide the mode.
    rustix::fs::fchmod(&tree, mode)?;
    Ok(tree)
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = remove_tree(self.root, &self.name)
        {
            tracing::warn!(%error, draft = %self.name, "a half-made package stays until restart");
        }
    }
}

/// The zip in a memory file that nobody can change any more, at offset 0.
pub(crate) fn seal(zip: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("offshoot-zip", flags)?);
    file.write_all(zip)?;
    io::Seek::rewind(&mut file)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}
