//! The handler in a fresh container of `runc run`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::{bundle, write_scripts};
use crate::workload::Workload;

/// How long one container took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RuncTimes {
    /// From the start of `runc run` until the response was read.
    pub(crate) response: Duration,
    /// Until `runc` had ended, too, and removed the container.
    pub(crate) exit: Duration,
}

/// A bundle from which containers are started.
#[derive(Debug)]
pub(crate) struct Runc {
    folder: TempDir,
    event: Vec<u8>,
    name: String,
    started: u64,
}

impl Runc {
    /// Prepares the bundle of a workload.
    pub(crate) fn prepare(workload: &Workload) -> anyhow::Result<Self> {
        require_runc()?;
        let folder = tempfile::tempdir()?;
        let scripts = folder.path().join("scripts");
        write_scripts(&scripts)?;
        let etc = bundle::present_etc();
        make_root(&folder.path().join("rootfs"), &etc)?;
        let config = bundle::config(workload, &scripts, &etc);
        fs::write(folder.path().join("config.json"), config.to_string())?;
        let (event, name) = (workload.event.clone(), workload.name().to_owned());
        Ok(Self {
            folder,
            event,
            name,
            started: 0,
        })
    }

    /// Runs one container to its end; gives its response and how long it took.
    pub(crate) fn run(&mut self) -> anyhow::Result<(Vec<u8>, RuncTimes)> {
        self.started += 1;
        let id = format!(
            "offshoot-{}-{}-{}",
            std::process::id(),
            self.name,
            self.started
        );
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.folder.path().join("state"));
        command
            .args(["run", "--bundle"])
            .arg(self.folder.path())
            .arg(&id);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());

        let begun = Instant::now();
        let mut child = command.spawn().context("cannot start runc")?;
        if let Some(mut input) = child.stdin.take() {
            // A container that ends early is reported by its status below.
            let _ = input.write_all(&self.event);
        }
        let mut output = BufReader::new(child.stdout.take().context("runc has no output")?);
        let mut line = Vec::new();
        output.read_until(b'\n', &mut line)?;
        let response = begun.elapsed();
        output.read_to_end(&mut Vec::new())?;
        let ended = child.wait_with_output()?;
        let times = RuncTimes {
            response,
            exit: begun.elapsed(),
        };
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            bail!("runc ended with {}: {}", ended.status, said.trim());
        }
        ensure!(line.ends_with(b"\n"), "the container gave no response");
        Ok((line, times))
    }
}

pub(super) fn require_runc() -> anyhow::Result<()> {
    let version = Command::new("runc").arg("--version").output();
    version.context("cannot run runc; the Debian package `runc` has it")?;
    Ok(())
}

/// The root file system: mount points and the links of a merged `/usr`.
pub(super) fn make_root(root: &Path, etc: &[&str]) -> anyhow::Result<()> {
    for at in [
        "usr",
        "etc",
        "proc",
        "dev",
        "sys",
        "tmp",
        "var/task",
        &bundle::SCRIPTS_AT[1..],
    ] {
        fs::create_dir_all(root.join(at))?;
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        if Path::new("/usr").join(name).exists() {
            symlink(format!("usr/{name}"), root.join(name))?;
        }
    }
    for path in etc {
        let at = root.join(&path[1..]);
        if Path::new(path).is_dir() {
            fs::create_dir_all(at)?;
        } else {
            fs::write(at, "")?;
        }
    }
    Ok(())
}
