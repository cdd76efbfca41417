//! Installed dependencies by content: `$XDG_CACHE_HOME/offshoot/dependencies/KEY`.
//!
//! An entry appears by rename, so it is always whole. It may be removed at any time while no deploy runs.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Entries above that are removed, oldest first.
const MAX_ENTRIES: usize = 64;

/// The cache's folder.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// The user's cache; `None` if there is no place for one.
    pub fn open() -> Option<Self> {
        let absolute = |path: &PathBuf| path.is_absolute();
        let base = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(absolute);
        let home = || {
            env::var_os("HOME")
                .map(PathBuf::from)
                .filter(absolute)
                .map(|home| home.join(".cache"))
        };
        let dir = base.or_else(home)?.join("offshoot/dependencies");
        fs::create_dir_all(&dir).ok()?;
        Some(Self { dir })
    }

    /// The entry of a key.
    pub fn find(&self, key: &str) -> Option<PathBuf> {
        Some(self.dir.join(key)).filter(|path| path.is_dir())
    }

    /// A folder to install into.
    pub fn staging(&self) -> io::Result<TempDir> {
        tempfile::Builder::new()
            .prefix("tmp-")
            .tempdir_in(&self.dir)
    }

    /// Makes a staged folder the entry of a key; gives it back if that fails.
    pub fn keep(&self, key: &str, staged: TempDir) -> Result<PathBuf, TempDir> {
        let path = self.dir.join(key);
        match fs::rename(staged.path(), &path) {
            Ok(()) => {
                // It is elsewhere now: nothing is left for the guard to remove.
                let _ = staged.keep();
                self.prune();
                Ok(path)
            }
            // Another deploy was quicker; its entry has the same content.
            Err(_) if path.is_dir() => Ok(path),
            Err(_) => Err(staged),
        }
    }

    fn prune(&self) {
        let Ok(children) = fs::read_dir(&self.dir) else {
            return;
        };
        let mut entries: Vec<(std::time::SystemTime, PathBuf)> = children
            .filter_map(Result::ok)
            .filter(|child| !child.file_name().to_string_lossy().starts_with("tmp-"))
            .filter_map(|child| Some((child.metadata().ok()?.modified().ok()?, child.path())))
            .collect();
        entries.sort();
        for (_, path) in entries
            .iter()
            .take(entries.len().saturating_sub(MAX_ENTRIES))
        {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// The key of a `requirements.txt`; `None` if it names files, whose content the key would miss.
pub fn python_key(requirements: &str, runtime: &str) -> Option<String> {
    let names_files = |line: &str| {
        let line = line.trim();
        [
            "-r",
            "-c",
            "-e",
            "--requirement",
            "--constraint",
            "--editable",
            "--find-links",
            "-f",
            ".",
            "/",
        ]
        .iter()
        .any(|start| line.starts_with(start))
            || line.contains("file:")
            || line.contains(".whl")
    };
    (!requirements.lines().any(names_files)).then(|| key(&["pip", runtime, requirements]))
}

/// The key of a `package.json`; `None` if it names files, whose content the key would miss.
pub fn node_key(package: &str, lock: Option<&str>, runtime: &str) -> Option<String> {
    let names_files = ["\"file:", "\"link:", "\"workspace:", "\"./", "\"../"]
        .iter()
        .any(|mark| {
            package
                .split("ependencies\"")
                .skip(1)
                .any(|part| part.contains(mark))
        });
    (!names_files).then(|| key(&["npm", runtime, package, lock.unwrap_or_default()]))
}

fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(env::consts::ARCH);
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_differ_by_text_and_runtime_and_refuse_local_files() {
        let one = python_key("requests==2\n", "python3.11").unwrap();
        assert_eq!(one, python_key("requests==2\n", "python3.11").unwrap());
        assert_ne!(one, python_key("requests==3\n", "python3.11").unwrap());
        assert_ne!(one, python_key("requests==2\n", "python3.12").unwrap());
        assert_eq!(python_key("-r base.txt\n", "python3.11"), None);
        assert_eq!(python_key("./lib\n", "python3.11"), None);
        assert_eq!(
            node_key(
                r#"{"dependencies": {"a": "file:../a"}}"#,
                None,
                "nodejs20.x"
            ),
            None
        );
        assert!(
            node_key(
                r#"{"main": "./a.js", "dependencies": {"a": "1"}}"#,
                None,
                "nodejs20.x"
            )
            .is_some()
        );
    }

    #[test]
    fn an_entry_that_is_kept_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache {
            dir: dir.path().to_owned(),
        };
        let staged = cache.staging().unwrap();
        fs::write(staged.path().join("a"), "x").unwrap();
        let path = cache.keep("k", staged).unwrap();
        assert_eq!(cache.find("k"), Some(path.clone()));
        let again = cache.staging().unwrap();
        fs::write(again.path().join("a"), "x").unwrap();
        assert_eq!(cache.keep("k", again).unwrap(), path);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
