//! What the tests of this crate share: a builder of zips that may lie in every field, and a store
//! in a directory whose surroundings are watched.
#![allow(clippy::unwrap_used, dead_code, missing_docs)]

pub mod builder;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use offshoot_package::{PackageStore, Worker};
use tempfile::TempDir;

/// The worker built with this crate.
pub fn worker() -> Worker {
    Worker::new(env!("CARGO_BIN_EXE_offshoot-unpack-worker"), &[])
}

/// A store two levels below a temporary directory with a canary in it.
pub struct Arena {
    pub dir: TempDir,
    pub store: PackageStore,
}

impl Arena {
    pub fn new() -> Self {
        Self::with_worker(worker())
    }

    pub fn with_worker(worker: Worker) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("canary"), "untouched").unwrap();
        let store = PackageStore::open(&dir.path().join("state/code"), worker).unwrap();
        Self { dir, store }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("state/code")
    }

    /// Everything in the temporary directory, as path and content.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        snapshot(self.dir.path())
    }
}

/// Every path below `dir`, with type, mode, and content or target.
pub fn snapshot(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut queue = vec![dir.to_owned()];
    while let Some(next) = queue.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let mode = meta.permissions().mode() & 0o7777;
            let what = if meta.is_dir() {
                queue.push(path.clone());
                format!("dir {mode:o}")
            } else if meta.is_symlink() {
                format!("link {}", std::fs::read_link(&path).unwrap().display())
            } else {
                let content = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&content[..content.len().min(64)]).into_owned();
                format!("file {mode:o} {} {text}", content.len())
            };
            let own = rustix::process::geteuid().as_raw();
            assert_eq!(meta.uid(), own, "{path:?}");
            found.insert(
                path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned(),
                what,
            );
        }
    }
    found
}
