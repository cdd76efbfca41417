//! The pool itself.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offshoot_image::Key;
use rustix::fs::{AtFlags, StatVfsMountFlags};
use rustix::io::Errno;

use crate::backing::{Backing, FileSystem};
use crate::file::open_dir;
use crate::mount;
use crate::name::ImageName;
use crate::new_image::{NewImage, WriteError};
use crate::open_image::{OpenError, OpenImage};
use crate::shared::{Shared, TEMPORARY_PREFIX, stored_bytes};

/// Where a pool is, and on what.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The directory. It is made if it does not exist.
    pub dir: PathBuf,
    /// What is mounted there.
    pub mount: Mount,
}

/// What a pool lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// A tmpfs, which is mounted unless it is there already.
    Tmpfs {
        /// How much it may hold, in bytes.
        size_bytes: u64,
    },
    /// Whatever is there, such as a DAX mount.
    Existing,
}

/// A directory in which images live.
#[derive(Debug)]
pub struct Pool {
    pub(crate) shared: Arc<Shared>,
    mount: Mount,
    backing: Backing,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What its file system holds, in bytes.
    pub total_bytes: u64,
    /// What of it is taken, by whomever, in bytes.
    pub used_bytes: u64,
    /// What images and unfinished ones take, in bytes.
    pub image_bytes: u64,
    /// How many images there are.
    pub images: u64,
}

/// Why a pool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// A call to the kernel failed.
    #[error("cannot {action} the pool {}", dir.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The directory.
        dir: PathBuf,
        /// Why it failed.
        #[source]
        source: Errno,
    },
    /// Another file system than wanted is mounted there.
    #[error("the pool {} should be a tmpfs and is on {found}", dir.display())]
    NotTmpfs {
        /// The directory.
        dir: PathBuf,
        /// What is there.
        found: FileSystem,
    },
    /// Files there cannot be written with `write(2)`.
    #[error("the pool {} is on hugetlbfs, which takes no writes; use tmpfs with huge pages", dir.display())]
    Hugetlbfs {
        /// The directory.
        dir: PathBuf,
    },
    /// Code of programs could not be mapped from there.
    #[error("the pool {} is mounted noexec, but clones map their code from it", dir.display())]
    NoExec {
        /// The directory.
        dir: PathBuf,
    },
    /// A size of zero would be no limit.
    #[error("the pool {} must have a size", dir.display())]
    NoSize {
        /// The directory.
        dir: PathBuf,
    },
    /// Others could put images there.
    #[error("the pool {} has mode {mode:04o} and belongs to user {owner}; nobody else may write to it", dir.display())]
    Exposed {
        /// The directory.
        dir: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Its owner.
        owner: u32,
    },
    /// Unmounting would destroy images.
    #[error("the pool {} still has {images} images", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// How many.
        images: u64,
    },
    /// Nothing that a pool may unmount.
    #[error("the pool {} did not ask for a mount", dir.display())]
    NotMounted {
        /// The directory.
        dir: PathBuf,
    },
}

impl Pool {
    /// Opens a pool, mounting it if it is asked for, and clears what dead writers left.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made, mounted or locked, or others may write to it.
    pub fn open(config: &PoolConfig, key: Key) -> Result<Self, PoolError> {
        let path = &config.dir;
        let failed = |action| move |source| io(action, path, source);
        create_dir(path).map_err(failed("create"))?;
        if let Mount::Tmpfs { size_bytes } = config.mount {
            if size_bytes == 0 {
                return Err(PoolError::NoSize { dir: path.clone() });
            }
            mount::mount_tmpfs(path, size_bytes).map_err(failed("mount"))?;
        }
        let dir = open_dir(path).map_err(failed("open"))?;
        let backing = Backing::detect(dir.as_fd()).map_err(failed("inspect"))?;
        check_backing(config, &backing)?;
        check_access(&dir, path)?;
        let shared = Arc::new(Shared {
            path: path.clone(),
            dir,
            key,
        });
        shared.clear_abandoned().map_err(failed("clear"))?;
        Ok(Self {
            shared,
            mount: config.mount,
            backing,
        })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.shared.path
    }

    /// What it lies on.
    pub fn backing(&self) -> &Backing {
        &self.backing
    }

    /// The key of its images.
    pub fn key(&self) -> &Key {
        &self.shared.key
    }

    /// Begins an image. It gets its name when it is sealed; if several writers want one name, the first one gets it.
    ///
    /// # Errors
    ///
    /// If there is an image of that name already, or the pool is full.
    pub fn create(&self, name: &ImageName) -> Result<NewImage, WriteError> {
        NewImage::create(self.shared.clone(), name)
    }

    /// Opens an image and checks its header.
    ///
    /// # Errors
    ///
    /// If there is none, or it is damaged or from another pool.
    pub fn open_image(&self, name: &ImageName) -> Result<OpenImage, OpenError> {
        OpenImage::open(&self.shared, name)
    }

    /// How full it is.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn usage(&self) -> Result<Usage, PoolError> {
        let failed = |e| io("measure", self.dir(), e);
        let stat = rustix::fs::fstatvfs(&self.shared.dir).map_err(failed)?;
        let mut usage = Usage {
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            used_bytes: stat
                .f_blocks
                .saturating_sub(stat.f_bfree)
                .saturating_mul(stat.f_frsize),
            image_bytes: 0,
            images: 0,
        };
        for name in self.shared.entries().map_err(failed)? {
            let is_image = ImageName::new(name.as_str()).is_ok();
            if !is_image && !name.starts_with(TEMPORARY_PREFIX) {
                continue;
            }
            let stat = rustix::fs::statat(&self.shared.dir, &name, AtFlags::SYMLINK_NOFOLLOW);
            usage.image_bytes += stat.map_or(0, |stat| stored_bytes(&stat));
            usage.images += u64::from(is_image);
        }
        Ok(usage)
    }

    /// Unmounts a pool that asked for a tmpfs; its images are lost. With `force` even if there are some, or they are in
    /// use: then the memory is freed when the last user ends.
    ///
    /// # Errors
    ///
    /// If there are images, someone uses the pool, or it did not ask for a mount.
    pub fn unmount(self, force: bool) -> Result<(), PoolError> {
        let dir = self.dir().to_owned();
        if self.mount == Mount::Existing {
            return Err(PoolError::NotMounted { dir });
        }
        let images = self.usage()?.images;
        if images > 0 && !force {
            return Err(PoolError::NotEmpty { dir, images });
        }
        // Its own descriptor would keep the mount busy.
        drop(self);
        mount::unmount(&dir, force).map_err(|e| io("unmount", &dir, e))
    }
}

pub(crate) fn io(action: &'static str, dir: &Path, source: Errno) -> PoolError {
    PoolError::Io {
        action,
        dir: dir.to_owned(),
        source,
    }
}

fn create_dir(path: &Path) -> Result<(), Errno> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
}

fn check_backing(config: &PoolConfig, backing: &Backing) -> Result<(), PoolError> {
    let dir = config.dir.clone();
    let found = backing.file_system;
    match (config.mount, found) {
        (_, FileSystem::Hugetlbfs) => Err(PoolError::Hugetlbfs { dir }),
        (Mount::Tmpfs { .. }, FileSystem::Tmpfs) | (Mount::Existing, _) => Ok(()),
        (Mount::Tmpfs { .. }, found) => Err(PoolError::NotTmpfs { dir, found }),
    }
}

fn check_access(dir: &OwnedFd, path: &Path) -> Result<(), PoolError> {
    let failed = |e| io("inspect", path, e);
    let flags = rustix::fs::fstatvfs(dir).map_err(failed)?.f_flag;
    if flags.contains(StatVfsMountFlags::NOEXEC) {
        return Err(PoolError::NoExec {
            dir: path.to_owned(),
        });
    }
    let stat = rustix::fs::fstat(dir).map_err(failed)?;
    let owner = stat.st_uid;
    let own = owner == 0 || owner == rustix::process::geteuid().as_raw();
    if own && stat.st_mode & 0o022 == 0 {
        return Ok(());
    }
    Err(PoolError::Exposed {
        dir: path.to_owned(),
        mode: stat.st_mode & 0o7777,
        owner,
    })
}
