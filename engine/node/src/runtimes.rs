//! Our bootstraps, which travel inside the daemon's binary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A bootstrap's file: its path below the runtimes folder, and its content.
macro_rules! file {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../runtimes/", $path)))
    };
}

const FILES: [(&str, &str); 18] = [
    file!("python/bootstrap.py"),
    file!("python/_offshoot_clone.py"),
    file!("python/_offshoot_faults.py"),
    file!("python/_offshoot_logging.py"),
    file!("python/_offshoot_runtime.py"),
    file!("python/_offshoot_secrets.py"),
    file!("python/snapshot_restore_py.py"),
    file!("node/bootstrap.mjs"),
    file!("node/channel.mjs"),
    file!("node/clone.mjs"),
    file!("node/common.mjs"),
    file!("node/console.mjs"),
    file!("node/crowd.mjs"),
    file!("node/faults.mjs"),
    file!("node/loader.mjs"),
    file!("node/random.mjs"),
    file!("node/secrets.mjs"),
    file!("node/streaming.mjs"),
];

/// A digest of all bootstraps: a seed of others is another seed.
pub(crate) fn digest() -> &'static [u8; 32] {
    static DIGEST: OnceLock<[u8; 32]> = OnceLock::new();
    DIGEST.get_or_init(|| {
        let mut hasher = blake3::Hasher::new();
        for (name, content) in FILES {
            hasher.update(name.as_bytes());
            hasher.update(&(content.len() as u64).to_le_bytes());
            hasher.update(content.as_bytes());
        }
        *hasher.finalize().as_bytes()
    })
}

/// Why the bootstraps could not be put down.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the runtime file {path}")]
pub struct InstallError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Writes the bootstraps into `dir`, replacing those of an older daemon. A file that is right is left alone.
pub fn install(dir: &Path) -> Result<(), InstallError> {
    for (name, content) in FILES {
        let path = dir.join(name);
        write(&path, content).map_err(|source| InstallError { path, source })?;
    }
    Ok(())
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|present| present == content.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Rename, so that a sandbox that is starting now reads the old file or the new one.
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, content)?;
    fs::rename(&fresh, path)
}
