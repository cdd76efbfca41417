//! What one would use without offshoot: the same handler with nothing around it.

mod bundle;
mod containers;
mod runc;
mod unix;

use std::fs;
use std::path::{Path, PathBuf};

use crate::workload::Language;

pub(crate) use containers::{Container, Containers};
pub(crate) use runc::Runc;
pub(crate) use unix::UnixServer;

const SCRIPTS: [(&str, &str); 5] = [
    (
        "unix_server.py",
        include_str!("../../baselines/unix_server.py"),
    ),
    (
        "unix_server.mjs",
        include_str!("../../baselines/unix_server.mjs"),
    ),
    ("oneshot.py", include_str!("../../baselines/oneshot.py")),
    ("oneshot.mjs", include_str!("../../baselines/oneshot.mjs")),
    ("load.mjs", include_str!("../../baselines/load.mjs")),
];

/// Writes the programs of the baselines into a folder that everyone may read.
fn write_scripts(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in SCRIPTS {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// The script called `stem` in a workload's language.
fn script(folder: &Path, stem: &str, language: Language) -> PathBuf {
    folder.join(match language {
        Language::Python => format!("{stem}.py"),
        Language::Node => format!("{stem}.mjs"),
    })
}
