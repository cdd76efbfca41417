//! Containers that `runc create` makes, and in which nothing runs yet: what a sandbox of offshoot is when it was taken.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::bundle;
use super::runc::{make_root, require_runc};

/// Bundles of containers that can be there at the same time. Dropping it deletes none of the containers.
#[derive(Debug)]
pub(crate) struct Containers {
    folder: TempDir,
}

/// A container that was created. Dropping it does not delete it.
#[derive(Debug)]
pub(crate) struct Container {
    id: String,
}

impl Containers {
    /// Prepares as many bundles, with a function's code and its memory limit.
    pub(crate) fn prepare(count: usize, code: &Path, memory_bytes: u64) -> anyhow::Result<Self> {
        require_runc()?;
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("rootfs");
        let etc = bundle::present_etc();
        make_root(&root, &etc)?;
        let all = Self { folder };
        for number in 0..count {
            // Directly below the root, so that runc leaves no parent behind.
            let group = format!("/{}", id(number));
            let config = bundle::empty(&root, code, group, memory_bytes >> 20, &etc);
            fs::create_dir(all.bundle(number))?;
            fs::write(all.bundle(number).join("config.json"), config.to_string())?;
        }
        Ok(all)
    }

    fn bundle(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("bundle-{number}"))
    }

    /// Creates the container of a bundle.
    pub(crate) fn create(&self, number: usize) -> anyhow::Result<Container> {
        let (bundle, id) = (self.bundle(number), id(number));
        let mut create = self.runc(number)?;
        create.args(["create", "--bundle"]).arg(&bundle).arg(&id);
        self.finish(create, number)?;
        Ok(Container { id })
    }

    /// Kills what waits in it, and removes it.
    pub(crate) fn delete(&self, number: usize, container: &Container) -> anyhow::Result<()> {
        let mut delete = self.runc(number)?;
        delete.args(["delete", "--force", &container.id]);
        self.finish(delete, number)
    }

    /// What `runc` says goes to a file: the container's process would keep a pipe open.
    fn runc(&self, number: usize) -> anyhow::Result<Command> {
        let log = File::create(self.log(number))?;
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.folder.path().join("state"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Ok(command)
    }

    fn log(&self, number: usize) -> PathBuf {
        self.bundle(number).join("log")
    }

    fn finish(&self, mut command: Command, number: usize) -> anyhow::Result<()> {
        let status = command.status().context("cannot start runc")?;
        let said = || fs::read_to_string(self.log(number)).unwrap_or_default();
        ensure!(
            status.success(),
            "runc ended with {status}: {}",
            said().trim()
        );
        Ok(())
    }
}

fn id(number: usize) -> String {
    format!("offshoot-baseline-{}-{number}", std::process::id())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn created_container_is_there_until_it_is_deleted() {
        let root = rustix::process::geteuid().is_root();
        let code = tempfile::tempdir().unwrap();
        if !root || require_runc().is_err() {
            eprintln!("skipped: this needs root and runc");
            return;
        }
        let all = Containers::prepare(2, code.path(), 64 << 20).unwrap();
        let container = all.create(1).unwrap();
        let state = all.folder.path().join("state").join(&container.id);
        assert!(state.exists());
        let twice = all.create(1).unwrap_err().to_string();
        assert!(twice.contains("runc ended with"), "{twice}");
        all.delete(1, &container).unwrap();
        assert!(!state.exists());
    }
}
