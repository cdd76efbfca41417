//! The store: a directory of packages, each named by the digest of its zip.
//!
//! ```text
//! STATE_DIR/code/                     0700, locked by the process that has it open
//!   <64 hex digits>/                  0700, appears by rename when complete
//!     package.json                    what `Package` says, so that it need not be counted again
//!     tree/                           0755, what sandboxes bind
//!   tmp-<pid>-<n>/                    being made or removed; cleared at the next start
//! ```

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::adopt::adopt;
use crate::digest::Digest;
use crate::draft::{Draft, TREE, seal};
use crate::error::{OpenError, UnpackError, WorkerFault};
use crate::gate::Gate;
use crate::launch::{Launcher, Worker};
use crate::limits::Limits;
use crate::record;
use crate::removal::{LEFTOVER, fresh_name, remove_tree};
use crate::tree::Tally;
use crate::worker::Verdict;

/// Workers at a time. Inflating is bound to the CPU, and each may hold a whole zip in memory.
const WORKERS: usize = 2;

/// A content-addressed store of unpacked packages. Shared by reference between threads; one
/// process at a time has it open.
#[derive(Debug)]
pub struct PackageStore {
    path: PathBuf,
    root: OwnedFd,
    launcher: Launcher,
    gate: Gate,
}

/// An unpacked zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// SHA-256 of the zip.
    pub digest: Digest,
    /// The directory to bind. Owned by the daemon; directories 0755, files 0644 or 0755.
    pub path: PathBuf,
    /// Bytes in its files.
    pub unzipped_bytes: u64,
    /// Files, symbolic links and directories in it.
    pub entries: u32,
}

impl PackageStore {
    /// Opens the store at `path`, making it (mode 0700) if it is missing, and removes what a
    /// process that died was making. `worker` is what [`Self::unpack`] starts.
    pub fn open(path: &Path, worker: Worker) -> Result<Self, OpenError> {
        let program = worker.program().to_owned();
        let launcher = Launcher::open(worker).map_err(|source| OpenError::Worker {
            path: program,
            source,
        })?;
        let path = std::path::absolute(path).map_err(|source| OpenError::Root {
            path: path.to_owned(),
            source,
        })?;
        let root = open_root(&path).map_err(|source| OpenError::Root {
            path: path.clone(),
            source,
        })?;
        rustix::fs::flock(&root, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| OpenError::InUse { path: path.clone() })?;
        let store = Self {
            path,
            root,
            launcher,
            gate: Gate::new(WORKERS),
        };
        store.clear_leftovers().map_err(|source| OpenError::Clear {
            path: store.path.clone(),
            source,
        })?;
        Ok(store)
    }

    /// Unpacks `zip`, or finds that it already is. All or nothing: on an error the store is as
    /// before. Blocks, at most for the limit's timeout plus waiting for other zips and the disk.
    pub fn unpack(&self, zip: &[u8], limits: &Limits) -> Result<Package, UnpackError> {
        if zip.len() as u64 > limits.zipped_bytes {
            return Err(UnpackError::ZippedTooLarge {
                limit_bytes: limits.zipped_bytes,
            });
        }
        let digest = Digest::of(zip);
        if let Some(package) = self.find(&digest, limits)? {
            return Ok(package);
        }
        let _pass = self.gate.enter();
        // Whoever held the place before may have unpacked the same zip.
        if let Some(package) = self.find(&digest, limits)? {
            return Ok(package);
        }
        let draft = Draft::make(&self.root, self.launcher.uid)
            .map_err(|errno| UnpackError::io("cannot make a directory to unpack into", errno))?;
        let zip = seal(zip).map_err(|source| UnpackError::io("cannot pass on the zip", source))?;
        let verdict = self.launcher.run(zip, &draft.tree, limits)?;
        let tally = self.judge(verdict, &draft, limits)?;
        self.keep(draft, &digest, tally)
            .map_err(|source| UnpackError::io(format!("cannot keep package {digest}"), source))?;
        Ok(self.package(digest, tally))
    }

    /// The directory of a package that is in the store.
    pub fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.tree_path(digest);
        path.is_dir().then_some(path)
    }

    /// Removes a package; succeeds if it is not there. It disappears at once under its own name
    /// and is then deleted. No sandbox may bind it any more.
    pub fn remove(&self, digest: &Digest) -> io::Result<()> {
        let leaving = fresh_name();
        match rustix::fs::renameat(&self.root, digest.to_string(), &self.root, &leaving) {
            Ok(()) => Ok(remove_tree(&self.root, &leaving)?),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// All packages in the store, sorted.
    pub fn list(&self) -> io::Result<Vec<Digest>> {
        let mut digests: Vec<Digest> = self
            .names()?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        digests.sort_unstable();
        Ok(digests)
    }

    fn tree_path(&self, digest: &Digest) -> PathBuf {
        self.path.join(digest.to_string()).join(TREE)
    }

    fn package(&self, digest: Digest, tally: Tally) -> Package {
        let path = self.tree_path(&digest);
        Package {
            digest,
            path,
            unzipped_bytes: tally.bytes,
            entries: tally.entries,
        }
    }

    /// A package that is already there, if the limits of today still allow it.
    fn find(&self, digest: &Digest, limits: &Limits) -> Result<Option<Package>, UnpackError> {
        let tally = match record::read(&self.root, digest) {
            Ok(tally) => tally,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(UnpackError::io(
                    format!("cannot read package {digest}"),
                    source,
                ));
            }
        };
        if tally.bytes > limits.unzipped_bytes {
            return Err(UnpackError::UnzippedTooLarge {
                limit_bytes: limits.unzipped_bytes,
            });
        }
        if tally.entries > limits.entries {
            return Err(UnpackError::TooManyEntries {
                limit: limits.entries,
            });
        }
        Ok(Some(self.package(*digest, tally)))
    }

    /// Checks the worker's claim against what is on disk, and takes ownership of it.
    fn judge(
        &self,
        verdict: Verdict,
        draft: &Draft<'_>,
        limits: &Limits,
    ) -> Result<Tally, UnpackError> {
        let claimed = match verdict {
            Verdict::Refused(refusal) => return Err(UnpackError::from_refusal(refusal, limits)),
            Verdict::Unpacked {
                bytes,
                entries,
                landlocked,
            } => {
                if !landlocked {
                    tracing::debug!(
                        "this kernel has no Landlock; the unpacking worker ran without"
                    );
                }
                Tally { bytes, entries }
            }
        };
        let found = adopt(&draft.tree, self.launcher.uid.and(Some(own_ids())), limits)?;
        if claimed != found {
            let what = "another number of bytes or entries than it claims";
            return Err(WorkerFault::Untrustworthy { what }.into());
        }
        Ok(found)
    }

    /// Makes the draft durable, and then visible under its digest. syncfs(2) once is much cheaper
    /// than fsync(2) per file.
    fn keep(&self, draft: Draft<'_>, digest: &Digest, tally: Tally) -> io::Result<()> {
        record::write(&self.root, &draft.name, tally)?;
        rustix::fs::syncfs(&self.root)?;
        draft.keep_as(&digest.to_string())?;
        Ok(rustix::fs::fsync(&self.root)?)
    }

    fn clear_leftovers(&self) -> io::Result<()> {
        for name in self
            .names()?
            .iter()
            .filter(|name| name.starts_with(LEFTOVER))
        {
            remove_tree(&self.root, name)?;
        }
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.root)? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

fn own_ids() -> (Uid, Gid) {
    (rustix::process::geteuid(), rustix::process::getegid())
}

/// Makes and opens the store's directory: a real one, our own, closed to others.
fn open_root(path: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    if rustix::fs::fstat(&root)?.st_uid != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it belongs to another user",
        ));
    }
    rustix::fs::fchmod(&root, Mode::from_raw_mode(0o700))?;
    Ok(root)
}
