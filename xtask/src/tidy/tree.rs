//! The files of a checkout, in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;

/// Directories that are built, fetched or kept by tools.
const SKIPPED: &[&str] = &[".git", "target", "node_modules", "__pycache__", ".build"];

/// Larger files are data, not something a person wrote.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Every text file by its path from the root, with `/` between segments.
#[derive(Debug, Default)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads the checkout at `root`.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.read_dir(root, "")?;
        Ok(tree)
    }

    /// A tree of the given files, for tests.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, text)| (path.to_string(), text.to_string()))
                .collect(),
        )
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a file at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The text of the file at `path`.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Every file, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every Rust file, by path.
    pub fn rust_files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs"))
    }

    fn read_dir(&mut self, dir: &Path, prefix: &str) -> anyhow::Result<()> {
        let entries = fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.read_dir(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && entry.metadata()?.len() <= MAX_FILE_BYTES {
                // What is not UTF-8 is no text.
                if let Ok(text) = fs::read_to_string(entry.path()) {
                    self.0.insert(path, text);
                }
            }
        }
        Ok(())
    }
}
