//! What a test deploys: a function's configuration and its package.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The configuration of a function to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Its name.
    pub name: String,
    /// Lambda's name of the runtime, such as `python3.11`.
    pub runtime: String,
    /// Such as `app.handler`.
    pub handler: String,
    /// Memory, in MB.
    pub memory_mb: u32,
    /// The limit of one invocation, in seconds.
    pub timeout_s: u32,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

impl FunctionSpec {
    /// A Python function with 128 MB and 3 seconds, which are Lambda's defaults.
    pub fn python(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            runtime: "python3.11".into(),
            handler: "app.handler".into(),
            memory_mb: 128,
            timeout_s: 3,
            environment: Vec::new(),
        }
    }
}

/// Why a package could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file or folder could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// An entry could not be written.
    #[error("cannot pack {name}")]
    Pack {
        /// Which.
        name: String,
        /// What the packer says.
        #[source]
        source: zip::result::ZipError,
    },
}

/// A zip archive of these files, given by name and content; all are readable by everyone.
pub fn zip_files(files: &[(&str, &[u8])]) -> Result<Vec<u8>, PackageError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        add(&mut zip, name, content, 0o644)?;
    }
    finish(zip)
}

/// A zip archive of all files below a folder, in order of their names; modes are kept.
pub fn zip_folder(folder: &Path) -> Result<Vec<u8>, PackageError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    add_folder(&mut zip, folder, "")?;
    finish(zip)
}

type Zip = ZipWriter<Cursor<Vec<u8>>>;

fn add_folder(zip: &mut Zip, folder: &Path, prefix: &str) -> Result<(), PackageError> {
    let read = |source| PackageError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        paths.push(entry.map_err(read)?.path());
    }
    paths.sort();
    for path in paths {
        let name = format!(
            "{prefix}{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        if path.is_dir() {
            add_folder(zip, &path, &format!("{name}/"))?;
        } else {
            let (content, mode) = read_file(&path)?;
            add(zip, &name, &content, mode)?;
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<(Vec<u8>, u32), PackageError> {
    use std::os::unix::fs::PermissionsExt;
    let read = |source| PackageError::Read {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(read)?.permissions().mode() & 0o777;
    Ok((fs::read(path).map_err(read)?, mode))
}

fn add(zip: &mut Zip, name: &str, content: &[u8], mode: u32) -> Result<(), PackageError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(mode);
    let pack = |source| PackageError::Pack {
        name: name.to_owned(),
        source,
    };
    zip.start_file(name, options).map_err(pack)?;
    zip.write_all(content).map_err(|error| pack(error.into()))
}

fn finish(zip: Zip) -> Result<Vec<u8>, PackageError> {
    let pack = |source| PackageError::Pack {
        name: "the directory".into(),
        source,
    };
    zip.finish().map(Cursor::into_inner).map_err(pack)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_packed_with_paths_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/a.py"), "A = 1").unwrap();
        fs::write(folder.path().join("bootstrap"), "#!/bin/sh").unwrap();
        let run = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path().join("bootstrap"), run).unwrap();

        let bytes = zip_folder(folder.path()).unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut text = String::new();
        zip.by_name("lib/a.py")
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "A = 1");
        let mode = zip.by_name("bootstrap").unwrap().unix_mode().unwrap();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = zip_folder(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nowhere/at/all");
    }
}
