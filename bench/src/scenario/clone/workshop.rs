//! The files of the seeds: scripts, programs that are compiled here, packages that are fetched once.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

const SOURCES: [(&str, &str); 7] = [
    ("python_seed.py", include_str!("../../seeds/python_seed.py")),
    (
        "json_handler.py",
        include_str!("../../seeds/json_handler.py"),
    ),
    (
        "numpy_handler.py",
        include_str!("../../seeds/numpy_handler.py"),
    ),
    (
        "pandas_handler.py",
        include_str!("../../seeds/pandas_handler.py"),
    ),
    ("node_seed.cjs", include_str!("../../seeds/node_seed.cjs")),
    ("pages_seed.c", include_str!("../../seeds/pages_seed.c")),
    (
        "fork_yardstick.c",
        include_str!("../../seeds/fork_yardstick.c"),
    ),
];
/// Both are binary packages; numpy's version is that of the workloads.
const PACKAGES: [&str; 2] = ["numpy==2.2.6", "pandas==2.3.3"];
const PYTHON: &str = "/usr/bin/python3";

/// A folder with all sources, and one with packages that outlives it.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: PathBuf,
    packages: PathBuf,
}

impl Workshop {
    /// Writes the sources into `folder`; `packages` is where fetched packages are kept.
    pub(super) fn open(folder: PathBuf, packages: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder)?;
        for (name, text) in SOURCES {
            fs::write(folder.join(name), text)?;
        }
        Ok(Self { folder, packages })
    }

    pub(super) fn script(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The program of a C source, which is compiled when it is first asked for.
    pub(super) fn compiled(&self, name: &str) -> anyhow::Result<PathBuf> {
        let program = self.folder.join(name);
        if !program.exists() {
            let mut cc = Command::new("cc");
            cc.args(["-O2", "-static", "-o"]).arg(&program);
            run(cc.arg(self.script(&format!("{name}.c"))))?;
        }
        Ok(program)
    }

    /// The folder of the Python packages, which are fetched when they are first asked for, or asked for anew.
    pub(super) fn python_packages(&self) -> anyhow::Result<PathBuf> {
        let (stamp, wanted) = (self.packages.join(".packages"), PACKAGES.join(" "));
        if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(self.packages.canonicalize()?);
        }
        eprintln!("bench: fetching {wanted}");
        // Beside its place, and put there when it is whole.
        let staged = self.packages.with_extension(std::process::id().to_string());
        let fetched = self.fetch(&staged).and_then(|()| {
            fs::write(staged.join(".packages"), &wanted)?;
            let _ = fs::remove_dir_all(&self.packages);
            Ok(fs::rename(&staged, &self.packages)?)
        });
        if fetched.is_err() {
            let _ = fs::remove_dir_all(&staged);
        }
        fetched.with_context(|| format!("cannot fetch {wanted}"))?;
        Ok(self.packages.canonicalize()?)
    }

    fn fetch(&self, into: &Path) -> anyhow::Result<()> {
        let mut pip = Command::new(self.python_with_pip()?);
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"]);
        pip.args(["--disable-pip-version-check", "--root-user-action=ignore"]);
        run(pip.arg("--target").arg(into).args(PACKAGES))
    }

    /// Debian's Python, or that of a virtual environment where its pip is missing.
    fn python_with_pip(&self) -> anyhow::Result<PathBuf> {
        if run(Command::new(PYTHON).args(["-m", "pip", "--version"])).is_ok() {
            return Ok(PYTHON.into());
        }
        let environment = self.folder.join("venv");
        run(Command::new(PYTHON).args(["-m", "venv"]).arg(&environment))?;
        Ok(environment.join("bin/python"))
    }
}

/// Runs a command to its end; what it says goes into the error.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    let name = Path::new(&program).file_name().unwrap_or(OsStr::new("?"));
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {}", name.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    ensure!(
        status.success(),
        "{} ended with {status}: {}",
        name.display(),
        said.trim()
    );
    Ok(())
}
