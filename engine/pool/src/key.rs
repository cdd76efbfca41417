//! The file that holds a pool's key: 32 bytes that only their owner may read.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use offshoot_image::Key;
use rustix::fs::{AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use crate::file::{
    create_new, open_dir, open_existing, random, random_name, read_exact_at, write_all_at,
};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A call to the kernel failed.
    #[error("cannot {action} the key file {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Errno,
    },
    /// Not a file with a name in a directory.
    #[error("{} cannot be a key file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Others may read or write it, so it is no secret.
    #[error("the key file {} has mode {mode:04o}; nobody but its owner may have access (chmod 600)", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("the key file {} belongs to user {owner}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is no key.
    #[error("the key file {} is {found_bytes} bytes long; a key has 32", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found_bytes: u64,
    },
}

/// Reads a key.
///
/// # Errors
///
/// If the file cannot be read, is not 32 bytes long, belongs to another user, or anyone but its owner has access to it.
pub fn load_key(path: &Path) -> Result<Key, KeyError> {
    let (dir, name) = locate(path)?;
    let file = open_existing(&dir, &name).map_err(|e| failed("open", path, e))?;
    read_key(&file, path)
}

/// Reads a key, or makes a new one if the file does not exist. If several processes do this at once, all get the same.
///
/// # Errors
///
/// As [`load_key`], or if the file cannot be written.
pub fn load_or_create_key(path: &Path) -> Result<Key, KeyError> {
    let (dir, name) = locate(path)?;
    match open_existing(&dir, &name) {
        Ok(file) => return read_key(&file, path),
        Err(Errno::NOENT) => {}
        Err(e) => return Err(failed("open", path, e)),
    }
    match create_key(&dir, &name) {
        Ok(key) => Ok(key),
        Err(Errno::EXIST) => load_key(path),
        Err(e) => Err(failed("create", path, e)),
    }
}

fn locate(path: &Path) -> Result<(OwnedFd, String), KeyError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| KeyError::NotAFile {
        path: path.to_owned(),
    })?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let dir = open_dir(parent).map_err(|e| failed("open the directory of", path, e))?;
    Ok((dir, name.to_owned()))
}

fn read_key(file: &OwnedFd, path: &Path) -> Result<Key, KeyError> {
    let path = path.to_owned();
    let stat = rustix::fs::fstat(file).map_err(|e| failed("inspect", &path, e))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(KeyError::NotAFile { path });
    }
    if stat.st_mode & 0o077 != 0 {
        let mode = stat.st_mode & 0o7777;
        return Err(KeyError::Exposed { path, mode });
    }
    let owner = stat.st_uid;
    if owner != rustix::process::geteuid().as_raw() {
        return Err(KeyError::Foreign { path, owner });
    }
    let mut key = [0; 32];
    let found_bytes = stat.st_size as u64;
    if found_bytes != key.len() as u64 {
        return Err(KeyError::WrongLength { path, found_bytes });
    }
    read_exact_at(file, &mut key, 0).map_err(|e| failed("read", &path, e))?;
    Ok(Key(key))
}

fn create_key(dir: &OwnedFd, name: &str) -> Result<Key, Errno> {
    let key = random()?;
    let temporary = random_name(".key-")?;
    let file = create_new(dir, &temporary)?;
    let written = write_all_at(&file, &key, 0)
        .and_then(|()| rustix::fs::fsync(&file))
        .and_then(|()| publish(dir, &temporary, name));
    if let Err(e) = written {
        // The name may already be gone; the reason why the key was not written matters more.
        let _ = rustix::fs::unlinkat(dir, &temporary, AtFlags::empty());
        return Err(e);
    }
    Ok(Key(key))
}

/// Gives a file its final name, if nobody has it, and makes that durable.
pub(crate) fn publish(dir: impl AsFd, temporary: &str, name: &str) -> Result<(), Errno> {
    let dir = dir.as_fd();
    match rustix::fs::renameat_with(dir, temporary, dir, name, RenameFlags::NOREPLACE) {
        // Some file systems cannot refuse to replace; links refuse everywhere.
        Err(Errno::INVAL) => {
            rustix::fs::linkat(dir, temporary, dir, name, AtFlags::empty())?;
            rustix::fs::unlinkat(dir, temporary, AtFlags::empty())?;
        }
        result => result?,
    }
    rustix::fs::fsync(dir)
}

fn failed(action: &'static str, path: &Path, source: Errno) -> KeyError {
    KeyError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
