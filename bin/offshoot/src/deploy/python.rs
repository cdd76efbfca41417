//! A Python that has pip, best of the version that the function runs with.

use std::path::Path;

use tokio::process::Command;

use super::install::{InstallError, run};

/// An interpreter with pip.
#[derive(Debug)]
pub struct Interpreter {
    program: String,
    /// Whether its version is the function's.
    pub matches: bool,
    /// The function's version, such as `3.11`.
    wanted: String,
}

/// Finds one for `runtime`, such as `python3.11`.
pub async fn find(runtime: &str) -> Result<Interpreter, InstallError> {
    let wanted = runtime.strip_prefix("python").unwrap_or(runtime).to_owned();
    let mut other = None;
    for program in ["/usr/bin/python3", runtime, "python3"] {
        let script = "import sys, pip; print('%d.%d' % sys.version_info[:2])";
        let mut command = Command::new(program);
        command.args(["-c", script]);
        let Ok(output) = run(&mut command, program).await else {
            continue;
        };
        if !output.status.success() {
            continue;
        }
        let matches = String::from_utf8_lossy(&output.stdout).trim() == wanted;
        let found = Interpreter {
            program: program.to_owned(),
            matches,
            wanted: wanted.clone(),
        };
        if matches {
            return Ok(found);
        }
        other.get_or_insert(found);
    }
    other.ok_or_else(|| InstallError::NoTool {
        what: "requirements.txt",
        program: format!("{runtime} with pip"),
    })
}

impl Interpreter {
    /// As [`Interpreter::pip`], with wheels only, and those for the function's version.
    pub fn pip_wheels(&self, target: &Path, requirements: &Path) -> Command {
        let mut command = self.pip(target, requirements);
        command.arg("--only-binary=:all:");
        if !self.matches {
            command.args(["--implementation", "cp", "--python-version", &self.wanted]);
        }
        command
    }

    /// The command that installs `requirements` into `target`.
    pub fn pip(&self, target: &Path, requirements: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--no-compile",
        ]);
        command
            .args(["--quiet", "--root-user-action=ignore", "--target"])
            .arg(target);
        command.arg("-r").arg(requirements);
        if let Some(dir) = requirements.parent() {
            // Relative paths in the file mean: from the file.
            command.current_dir(dir);
        }
        command
    }
}
