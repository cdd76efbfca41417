//! The zip of a function: the same files always give the same bytes, so that unchanged code is known by
//! its hash.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use offshoot_lambda::limits::{UNZIPPED_MAX_BYTES, ZIP_MAX_BYTES};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::walk::{self, Entry, Kind, WalkError};

/// A package that is ready to be sent.
#[derive(Debug)]
pub struct Bundle {
    /// The zip.
    pub zip: Vec<u8>,
    /// AWS's `CodeSha256`: base64 of the zip's SHA-256.
    pub code_sha256: String,
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file among the code is none that a package can have.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The zip cannot be written.
    #[error("cannot zip {name}")]
    Zip {
        /// The entry.
        name: String,
        /// What the zip writer says.
        source: zip::result::ZipError,
    },
    /// There is nothing in the folder.
    #[error("{} has no files to deploy", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The files are too large for a function.
    #[error("the files are {} MB, above the limit of {} MB", size_bytes / 1_000_000, UNZIPPED_MAX_BYTES / 1_000_000)]
    UnzippedTooLarge {
        /// All files together, as far as counted.
        size_bytes: u64,
        /// The parts that are largest.
        largest: String,
    },
    /// The zip is too large to be sent.
    #[error("the zip is {} MB, above the limit of {} MB", size_bytes / 1_000_000, ZIP_MAX_BYTES / 1_000_000)]
    ZipTooLarge {
        /// Its size.
        size_bytes: u64,
    },
}

impl BundleError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnzippedTooLarge { largest, .. } => {
                Some(format!("the largest parts are {largest}"))
            }
            Self::ZipTooLarge { .. } => Some("move large dependencies into layers".to_owned()),
            Self::Walk(WalkError::LinkOutside { .. }) => Some(
                "copy the file into the folder; links must be relative and stay inside".to_owned(),
            ),
            _ => None,
        }
    }
}

/// Zips folders laid over each other, later ones on top. Every path is below its root.
pub fn bundle(roots: &[walk::Root]) -> Result<Bundle, BundleError> {
    let entries = walk::walk(roots)?;
    if entries.is_empty() {
        let path = roots
            .last()
            .map(|root| root.path.clone())
            .unwrap_or_default();
        return Err(BundleError::Empty { path });
    }
    check_size(&entries)?;
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, entry) in &entries {
        add(&mut writer, name, entry)?;
    }
    let zip = writer.finish().map_err(|source| BundleError::Zip {
        name: "the whole".to_owned(),
        source,
    })?;
    finished(zip.into_inner())
}

/// A zip that exists already.
pub fn existing(path: &Path) -> Result<Bundle, BundleError> {
    let failed = |source| BundleError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let size_bytes = file.metadata().map_err(failed)?.len();
    if size_bytes > ZIP_MAX_BYTES as u64 {
        return Err(BundleError::ZipTooLarge { size_bytes });
    }
    let mut zip = Vec::new();
    file.take(ZIP_MAX_BYTES as u64 + 1)
        .read_to_end(&mut zip)
        .map_err(failed)?;
    finished(zip)
}

fn finished(zip: Vec<u8>) -> Result<Bundle, BundleError> {
    if zip.len() > ZIP_MAX_BYTES {
        return Err(BundleError::ZipTooLarge {
            size_bytes: zip.len() as u64,
        });
    }
    let code_sha256 = STANDARD.encode(Sha256::digest(&zip));
    Ok(Bundle { zip, code_sha256 })
}

fn add(
    writer: &mut ZipWriter<Cursor<Vec<u8>>>,
    name: &str,
    entry: &Entry,
) -> Result<(), BundleError> {
    let failed = |source| BundleError::Zip {
        name: name.to_owned(),
        source,
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::default());
    match &entry.kind {
        Kind::Link { target } => writer.add_symlink(name, target, options).map_err(failed),
        Kind::File { executable } => {
            let mode = if *executable { 0o755 } else { 0o644 };
            writer
                .start_file(name, options.unix_permissions(mode))
                .map_err(failed)?;
            let read = |source| BundleError::Read {
                path: entry.path.clone(),
                source,
            };
            let nofollow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(nofollow)
                .open(&entry.path)
                .map_err(read)?;
            io::copy(&mut file.take(UNZIPPED_MAX_BYTES), writer).map_err(read)?;
            Ok(())
        }
    }
}

fn check_size(entries: &BTreeMap<String, Entry>) -> Result<(), BundleError> {
    let size_bytes: u64 = entries.values().map(|entry| entry.size_bytes).sum();
    if size_bytes <= UNZIPPED_MAX_BYTES {
        return Ok(());
    }
    let mut parts: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, entry) in entries {
        *parts
            .entry(name.split('/').next().unwrap_or(name))
            .or_default() += entry.size_bytes;
    }
    let mut parts: Vec<(&str, u64)> = parts.into_iter().collect();
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let named = |(name, bytes): &(&str, u64)| format!("{name} ({} MB)", bytes / 1_000_000);
    let largest: Vec<String> = parts.iter().take(3).map(named).collect();
    Err(BundleError::UnzippedTooLarge {
        size_bytes,
        largest: largest.join(", "),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn root(dir: &tempfile::TempDir) -> walk::Root {
        walk::Root {
            path: dir.path().to_owned(),
            skip: Vec::new(),
        }
    }

    fn names(bundle: &Bundle) -> Vec<String> {
        let archive = zip::ZipArchive::new(Cursor::new(bundle.zip.clone())).unwrap();
        archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect()
    }

    #[test]
    fn the_same_files_give_the_same_zip_whenever_and_wherever() {
        let one = tree(&[("app.py", "x"), ("lib/a.py", "y")]);
        let two = tree(&[("lib/a.py", "y"), ("app.py", "x")]);
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options()
            .write(true)
            .open(two.path().join("app.py"))
            .unwrap()
            .set_modified(old)
            .unwrap();
        std::fs::set_permissions(two.path().join("app.py"), PermissionsExt::from_mode(0o600))
            .unwrap();
        let (one, two) = (
            bundle(&[root(&one)]).unwrap(),
            bundle(&[root(&two)]).unwrap(),
        );
        assert_eq!(one.zip, two.zip);
        assert_eq!(one.code_sha256, two.code_sha256);
        assert_eq!(names(&one), ["app.py", "lib/a.py"]);
    }

    #[test]
    fn caches_and_version_control_stay_out() {
        let dir = tree(&[
            ("app.py", ""),
            (".git/HEAD", ""),
            ("__pycache__/app.pyc", ""),
            ("a/b/__pycache__/x.pyc", ""),
            (".venv/bin/python", ""),
            ("node_modules/.cache/x", ""),
            ("node_modules/y/index.js", ""),
        ]);
        assert_eq!(
            names(&bundle(&[root(&dir)]).unwrap()),
            ["app.py", "node_modules/y/index.js"]
        );
    }

    #[test]
    fn links_inside_and_execute_bits_are_kept() {
        let dir = tree(&[("bin/tool", "#!/bin/sh"), ("lib/real.so", "")]);
        std::fs::set_permissions(
            dir.path().join("bin/tool"),
            PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        symlink("../lib/real.so", dir.path().join("bin/link.so")).unwrap();
        let made = bundle(&[root(&dir)]).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(made.zip)).unwrap();
        assert_eq!(
            archive.by_name("bin/tool").unwrap().unix_mode().unwrap() & 0o777,
            0o755
        );
        let mut link = archive.by_name("bin/link.so").unwrap();
        assert_eq!(link.unix_mode().unwrap() & 0o170_000, 0o120_000);
        let mut target = String::new();
        link.read_to_string(&mut target).unwrap();
        assert_eq!(target, "../lib/real.so");
    }

    #[test]
    fn links_that_leave_the_folder_are_refused() {
        for target in ["/etc/passwd", "../outside", "a/../../outside"] {
            let dir = tree(&[("app.py", "")]);
            symlink(target, dir.path().join("link")).unwrap();
            let error = bundle(&[root(&dir)]).unwrap_err();
            assert!(
                matches!(error, BundleError::Walk(WalkError::LinkOutside { .. })),
                "{target}: {error}"
            );
        }
    }

    #[test]
    fn own_files_win_over_dependencies_of_the_same_name() {
        let (below, above) = (
            tree(&[("a.py", "old"), ("b/c.py", "old")]),
            tree(&[("a.py", "new"), ("b", "file")]),
        );
        let made = bundle(&[root(&below), root(&above)]).unwrap();
        assert_eq!(names(&made), ["a.py", "b"]);
        let mut archive = zip::ZipArchive::new(Cursor::new(made.zip)).unwrap();
        let mut text = String::new();
        archive
            .by_name("a.py")
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "new");
    }

    #[test]
    fn an_empty_folder_and_a_fifo_are_named() {
        let empty = tree(&[]);
        assert!(matches!(
            bundle(&[root(&empty)]),
            Err(BundleError::Empty { .. })
        ));
        let dir = tree(&[("app.py", "")]);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let error = bundle(&[root(&dir)]).unwrap_err().to_string();
        assert!(error.contains("pipe"), "{error}");
    }
}
