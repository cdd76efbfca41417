//! The files of folders laid over each other, by the names they have in the zip.

use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// More are no function's code.
const MAX_ENTRIES: usize = 200_000;
const MAX_DEPTH: usize = 128;
/// Folders that are never code.
const EXCLUDED: [&str; 8] = [
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    ".venv",
    ".aws-sam",
    ".pytest_cache",
    ".mypy_cache",
];

/// A folder whose files are taken.
#[derive(Debug, Clone)]
pub struct Root {
    /// The folder.
    pub path: PathBuf,
    /// Names directly in it that are left out.
    pub skip: Vec<&'static str>,
}

/// A file or link.
#[derive(Debug)]
pub struct Entry {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its length.
    pub size_bytes: u64,
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Whether anybody may execute it.
        executable: bool,
    },
    /// A symbolic link that stays inside.
    Link {
        /// What it points at.
        target: String,
    },
}

/// Why files cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// A folder, file or link cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A name that zips cannot have.
    #[error("the name of {} is not UTF-8", path.display())]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// A link that leaves the folder.
    #[error("the link {} points outside, at {}", path.display(), target.display())]
    LinkOutside {
        /// The link.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// A FIFO, socket or device.
    #[error("{} is neither file nor folder nor link", path.display())]
    Special {
        /// Which.
        path: PathBuf,
    },
    /// Too many files, or too deep.
    #[error("{} has more files or levels than a function can", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// All files below the roots; a later root's file replaces an earlier one's of the same name.
pub fn walk(roots: &[Root]) -> Result<BTreeMap<String, Entry>, WalkError> {
    let mut entries = BTreeMap::new();
    for root in roots {
        let mut walker = Walker {
            root,
            entries: &mut entries,
        };
        walker.folder(&root.path, "", 0)?;
    }
    Ok(entries)
}

struct Walker<'a> {
    root: &'a Root,
    entries: &'a mut BTreeMap<String, Entry>,
}

impl Walker<'_> {
    fn folder(&mut self, path: &Path, prefix: &str, depth: usize) -> Result<(), WalkError> {
        if depth > MAX_DEPTH {
            return Err(WalkError::TooMany {
                path: self.root.path.clone(),
            });
        }
        for child in fs::read_dir(path).map_err(|source| failed(path, source))? {
            let child = child.map_err(|source| failed(path, source))?;
            let path = child.path();
            let name = child.file_name();
            let name = name
                .to_str()
                .ok_or_else(|| WalkError::Name { path: path.clone() })?;
            if self.leaves_out(prefix, name) {
                continue;
            }
            let name = format!("{prefix}{name}");
            let kind = child.file_type().map_err(|source| failed(&path, source))?;
            if kind.is_dir() {
                self.folder(&path, &format!("{name}/"), depth + 1)?;
            } else {
                self.take(path, name, kind)?;
            }
        }
        Ok(())
    }

    fn leaves_out(&self, prefix: &str, name: &str) -> bool {
        EXCLUDED.contains(&name)
            || name.ends_with(".pyc")
            || (name == ".cache" && prefix.ends_with("node_modules/"))
            || (prefix.is_empty() && self.root.skip.contains(&name))
    }

    fn take(&mut self, path: PathBuf, name: String, kind: FileType) -> Result<(), WalkError> {
        let metadata = fs::symlink_metadata(&path).map_err(|source| failed(&path, source))?;
        let kind = if kind.is_file() {
            Kind::File {
                executable: metadata.permissions().mode() & 0o111 != 0,
            }
        } else if kind.is_symlink() {
            Kind::Link {
                target: target(&path, &name)?,
            }
        } else {
            return Err(WalkError::Special { path });
        };
        self.make_room(&name);
        let entry = Entry {
            path,
            kind,
            size_bytes: metadata.len(),
        };
        self.entries.insert(name, entry);
        if self.entries.len() > MAX_ENTRIES {
            return Err(WalkError::TooMany {
                path: self.root.path.clone(),
            });
        }
        Ok(())
    }

    /// Removes what an earlier root has where `name` needs a file, or folders on the way to it.
    fn make_room(&mut self, name: &str) {
        let below = format!("{name}/");
        let covered: Vec<String> = self
            .entries
            .range(below.clone()..)
            .take_while(|(other, _)| other.starts_with(&below))
            .map(|(other, _)| other.clone())
            .collect();
        for other in covered {
            self.entries.remove(&other);
        }
        for (end, _) in name.match_indices('/') {
            self.entries.remove(&name[..end]);
        }
    }
}

/// The target of the link `name`, if it stays inside when followed from where the link is.
fn target(path: &Path, name: &str) -> Result<String, WalkError> {
    let target = fs::read_link(path).map_err(|source| failed(path, source))?;
    let outside = || WalkError::LinkOutside {
        path: path.to_owned(),
        target: target.clone(),
    };
    let mut depth = name.matches('/').count();
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1).ok_or_else(outside)?,
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    match target.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(WalkError::Name {
            path: path.to_owned(),
        }),
    }
}

fn failed(path: &Path, source: io::Error) -> WalkError {
    WalkError::Read {
        path: path.to_owned(),
        source,
    }
}
